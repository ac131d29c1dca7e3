"""How a split is told: its tables, for the terminal and for the card, and the card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from selector.balance import BALANCED
from selector.words import chosen_by, diverse, number, reasons

NARROW, POOL, DIVERSE = "narrow", "pool", "diverse"
LONGEST = 30  # characters of a name in a table
Table = tuple[list[str], list[list[str]]]  # header, rows


def sets_table(manifest: Mapping[str, Any], balance: Mapping[str, Any]) -> Table:
    """One line a set: size, mean tokens, what it is worth, the types it carries, how many of its rows are in the diverse set."""
    sets = manifest["split"]["sets"]
    places = list(sets[DIVERSE]["types"])
    header = [
        "set",
        "rows",
        "response tokens",
        "instruction tokens",
        "value",
        *(["types"] if len(places) == 1 else [f"types of {place}" for place in places]),
        "in diverse",
    ]
    tokens = {one["name"]: one["sets"] for one in balance["covariates"] if one["name"] in ("response tokens", "instruction tokens")}
    means = [f"{tokens[side][POOL]['mean']:,.1f}" for side in ("response tokens", "instruction tokens")]
    rows = [[POOL, f"{manifest['pool']['usable']:,}", *means, "", *[""] * len(places), ""]]
    for name, one in sets.items():
        means = [f"{tokens[side][name]['mean']:,.1f}" for side in ("response tokens", "instruction tokens")]
        types = [f"{one['types'][place]:,}" for place in places]
        value = "" if one["value"] is None else number(one["value"])
        rows.append([name, f"{one['rows']:,}", *means, value, *types, f"{one['in_diverse']:,}"])
    return header, rows


def balance_tables(balance: Mapping[str, Any]) -> dict[str, Table]:
    """One line a covariate, matched ones and others: |SMD| and KS before, the worst of the random sets after, and the narrow set."""
    has_narrow = any(NARROW in one["after"] for one in balance["covariates"])
    header = ["", "before: SMD", "KS", "random: SMD", "KS", *(["narrow: SMD", "KS"] if has_narrow else [])]
    tables: dict[str, Table] = {"matched": (header, []), "not matched": (header, [])}
    for one in balance["covariates"]:
        random = [after for name, after in one["after"].items() if name != NARROW]
        cells = [*_pair([one["before"]]), *_pair(random), *(_pair([one["after"][NARROW]]) if has_narrow else [])]
        levels = f" ({len(one['before']['levels'])} levels)" if one["kind"] == "levels" else ""
        tables["matched" if one["matched"] else "not matched"][1].append([_short(one["name"], len(levels)) + levels, *cells])
    return {name: table for name, table in tables.items() if table[1]}


def share_tables(balance: Mapping[str, Any], most: int) -> dict[str, Table]:
    """For each covariate with levels the share of each, in percent, the most frequent of the diverse set first; at most so many."""
    tables = {}
    for one in balance["covariates"]:
        if one["kind"] != "levels":
            continue
        shares = {name: {level: told["share"] for level, told in each["levels"].items()} for name, each in one["sets"].items()}
        random = [name for name in one["after"] if name != NARROW]
        columns = [POOL, DIVERSE, *([NARROW] if NARROW in shares else [])]
        order = sorted(shares[DIVERSE], key=lambda level: (-shares[DIVERSE][level], -shares[POOL][level], level))
        rows = [
            [
                _short(level),
                *(f"{100 * shares[name][level]:.1f}" for name in columns[:2]),
                f"{100 * sum(shares[name][level] for name in random) / len(random):.1f}",
                *(f"{100 * shares[name][level]:.1f}" for name in columns[2:]),
            ]
            for level in order[:most]
        ]
        if len(order) > most:
            rows.append([f"and {len(order) - most} more", *[""] * (len(rows[0]) - 1)])
        matched = "matched" if one["matched"] else "not matched"
        tables[f"{one['name']} ({matched}), % of the rows"] = (["", POOL, DIVERSE, "random", *columns[2:]], rows)
    return tables


def verdict(balance: Mapping[str, Any]) -> str:
    """Whether every matched covariate is balanced in every set."""
    sizes = [
        (None if after["smd"] is None else abs(after["smd"]))
        for one in balance["covariates"]
        if one["matched"]
        for after in one["after"].values()
    ]
    if not sizes:
        return "nothing was matched"
    if None in sizes:
        return "no: a matched covariate is infinitely apart"
    largest = max(one for one in sizes if one is not None)
    return f"{'yes' if largest <= BALANCED else 'no'}: the largest |SMD| of a matched covariate is {largest:.3f}, the limit {BALANCED:g}"


def facts(manifest: Mapping[str, Any], balance: Mapping[str, Any]) -> dict[str, str]:
    """What holds for all sets, by name."""
    split, pool = manifest["split"], manifest["pool"]
    rows = {
        "pool": f"{pool['source']}: {pool['rows']:,} rows, {pool['usable']:,} usable",
        "dropped": reasons(pool["dropped"]),
        "diverse": f"{chosen_by(manifest['objective'])} ({manifest['stopped']})",
        **diverse(manifest),
        "random": "drawn at random"
        + (
            f" in {split['strata']:,} {'stratum' if split['strata'] == 1 else 'strata'} of {', '.join(split['match'])}"
            if split["match"]
            else ""
        )
        + (", disjoint" if split["disjoint"] else ""),
        "balanced": verdict(balance),
    }
    if "narrow" in split:
        rows["narrow"] = "few types in the same strata, by Algorithm 1 of arXiv 2505.24768"
    if split["response_tokens"]:
        low, high = split["response_tokens"]
        rows["length"] = f"every row has {low:,} to {high:,} response tokens"
    if split["held_out"]:
        held = split["held_out"]
        rows["held out"] = f"{held['rows']:,} rows, and no row is {100 * held['near']:g} % similar to one of them or more"
    return {**rows, "seed": str(manifest["seed"])}


def card(title: str, manifest: Mapping[str, Any], balance: Mapping[str, Any]) -> str:
    """The dataset card below its front matter."""
    names = list(manifest["split"]["sets"])
    held = manifest["split"]["held_out"]
    lines = [
        f"# {title}",
        "",
        f"A diverse set of {manifest['selected']:,} rows, and sets of the same size that are like it in all that must not explain a "
        f"difference, made with diversity-selector {manifest['versions']['diversity-selector']}. Train on each in the same way; what "
        "the results differ by is then not owed to what was matched.",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        f'diverse = load_dataset("{title}", "{names[0]}", split="train")',
        f'random = load_dataset("{title}", "{names[1]}", split="train")',
        *([f'held_out = load_dataset("{title}", "held-out", split="train")'] if held else []),
        "```",
        "",
        *_markdown(sets_table(manifest, balance)),
        "",
        "Tokens are means. `value` is what a set is worth to the objective, `types` how many types it carries, `in diverse` how many of "
        "its rows are in the diverse set as well.",
        "",
        *_markdown((["", ""], [[f"**{name}**", told] for name, told in facts(manifest, balance).items()])),
        *_notes(manifest),
        "",
        "## Balance",
        "",
        "How far each set is from the diverse one: |SMD| is the difference of means over the pooled standard deviation (of levels the "
        f"largest of any), at most {BALANCED:g} where matched; KS is the largest difference of the two distribution functions. `before` "
        "is the whole usable pool, `random` the worst of the random sets. All figures, signed, stand in `balance.json`.",
        "",
        "![Love plot: how far the sets are apart in each covariate, before and after matching](love-plot.png)",
    ]
    for name, table in balance_tables(balance).items():
        lines += ["", f"### {name.capitalize()}", "", *_markdown(table)]
    for name, table in share_tables(balance, 25).items():
        lines += ["", f"### Share of each {name}", "", *_markdown(table)]
    lines += [
        "",
        "## How it was made",
        "",
        "The diverse set stands in pick order, the others in random order. `picks.parquet` gives each row's set (`arm`), its place there",
        "and its row in the source (from 0); `manifest.json` holds everything needed to make this folder again, the recipe included.",
        "",
        "```yaml",
        str(manifest["recipe"]).rstrip(),
        "```",
        "",
        "The rows keep the licence and the limits of their sources.",
    ]
    return "\n".join(lines)


def _notes(manifest: Mapping[str, Any]) -> list[str]:
    return ["", *(f"> Note: {note}." if note[-1] != "." else f"> Note: {note}" for note in manifest["notes"])] if manifest["notes"] else []


def _pair(differences: Sequence[Mapping[str, Any]]) -> list[str]:
    """The largest |SMD| and the largest KS of these."""
    sizes = [None if one["smd"] is None else abs(one["smd"]) for one in differences]
    distances = [one["ks"] for one in differences if "ks" in one]
    smd = "infinite" if None in sizes else f"{max(one for one in sizes if one is not None):.3f}"
    return [smd, f"{max(distances):.3f}" if distances else ""]


def _markdown(table: Table) -> list[str]:
    header, rows = table
    numeric = [bool(rows) and all(row[place][:1].isdigit() or not row[place] for row in rows) for place in range(len(header))]
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return [
        f"| {' | '.join(header)} |",
        f"| {' | '.join('---:' if right else '---' for right in numeric)} |",
        *(f"| {' | '.join(row)} |" for row in cells),
    ]


def _short(name: str, beside: int = 0) -> str:
    room = LONGEST - beside
    return name if len(name) <= room else f"{name[: room - 1]}…"
