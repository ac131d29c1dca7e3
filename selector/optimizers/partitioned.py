"""Partitioned greedy."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import replace

import numpy as np

from selector.core import NO_ROWS, Finish, Gains, Objective, Opening, Pick, Problem, Rows, Similarity, quiet
from selector.errors import RecipeError
from selector.features import Vectors
from selector.kernels import rise
from selector.layers.grouping.kmeans import nearest
from selector.objectives.facility_location import FacilityLocation
from selector.objectives.mixture import Mixture
from selector.optimizers.lazy import lazy
from selector.optimizers.proof import proved
from selector.optimizers.shares import share, taken
from selector.optimizers.splitting import at_random, by_cluster

log = logging.getLogger(__name__)

PART = 32_768  # rows of a part where the number of parts is not given

Picks = Generator[Pick, None, Finish]


def partitioned(
    problem: Problem, rng: np.random.Generator, *, parts: int = 0, by: str = "cluster", factor: float = 2.0, proof: str = "parts"
) -> Picks:
    """Greedy in parts of the pool, then greedy among the winners: for pools where one sweep over all pairs is too much.

    GreeDi (Mirzasoleiman et al. 2013) with `by` 'random' (RandGreeDi, Barbosa et al. 2015: (1 - 1/e) / 2 of the optimum in expectation
    with `factor` = `parts`) or 'cluster', balanced cuts across the dense vectors. `parts` 0 means parts of at most 32,768 rows; 1 gives
    the rows of `lazy`. Each part picks `factor` times its share of the limit, quotas and tokens included.

    Facility location counts only the part's own rows in the first round. In the second its rows are the winners, each with the weight of
    the rows of its part that it is nearest to (a coreset), since n x winners products would cost more than the parts save. So a pick's
    gain is that of the coreset. Every other objective sees the whole ground set in both rounds, and its gains are exact.
    The first picks of a part of dense vectors are those of samples (`lazy` in mode 'fast'): the winners need be good, not greedy to a row.
    O(n^2 d / parts + (factor k)^2 d) time for dense vectors.

    `proof` 'parts', for facility location: the value is counted in the parts, a lower bound of f, and the upper bound is the
    self-similarity of every row: both are true, no sweep is needed. 'all' counts the value and the greedy bound over all pairs.
    Not a warm start: keeping the first picks changes the winners. Raises RecipeError for an objective that is not submodular, and for a
    limit that cannot be split.
    """
    objective = problem.objective
    _check(objective, parts, by, factor, proof)
    assert isinstance(objective, Objective)
    count = min(parts or -(-len(problem.candidates) // PART), len(problem.candidates))
    if count == 1:
        return (yield from lazy(problem, rng))
    split = _split(problem, count, by, rng)
    winners, weights, asked = _winners(problem, split, factor, by, rng)
    chosen: list[int] = []
    if len(winners):
        last, numbers = _among(problem, winners, weights)
        steps = lazy(last, rng.spawn(1)[0])
        while True:
            try:
                pick = next(steps)
            except StopIteration as stop:
                asked += stop.value.state.evaluations
                break
            chosen.append(int(numbers[pick.row]))
            yield Pick(chosen[-1], pick.gain)
    filled = _rest(problem, np.array(chosen, np.int64), rng)
    for row in filled:
        yield Pick(int(row), 0.0)
    notes = [f"partitioned: {count:,} parts by {by}, {len(winners):,} winners, {len(chosen):,} picks among them"]
    if len(filled):
        notes.append(f"the limits left no winner for the last {len(filled):,} picks: drawn at random, gains not counted")
    rows = np.concatenate([chosen, filled]).astype(np.int64)
    if represented(objective) and proof == "parts":
        return proved(problem, rows, split, asked, tuple(notes))
    return _exact(problem, rows, tuple(notes))


def represented(objective: object) -> list[str]:
    """Names of the vectors whose rows the objective wants represented: a part of these counts its own rows only."""
    match objective:
        case FacilityLocation():
            return [objective.features]
        case Mixture():
            return list(dict.fromkeys(name for part in objective.parts for name in represented(part)))
    return []


def _check(objective: object, parts: int, by: str, factor: float, proof: str) -> None:
    if not isinstance(objective, Objective):
        raise RecipeError(f"{objective} brings its own loop; it takes no optimizer.")
    if not objective.submodular:
        raise RecipeError(f"the optimizer 'partitioned' needs a submodular objective and {objective} is not; use 'greedy'.")
    if parts < 0:
        raise RecipeError(f"parts of the optimizer 'partitioned' is {parts}; write how many, or 0 for parts of {PART:,} rows.")
    if by not in ("random", "cluster"):
        raise RecipeError(f"by of the optimizer 'partitioned' is '{by}'; write random or cluster.")
    if not 1 <= factor < float("inf"):
        raise RecipeError(
            f"factor of the optimizer 'partitioned' is {factor:g}; it must be finite and at least 1, or the winners cannot fill the budget."
        )
    if proof not in ("parts", "all"):
        raise RecipeError(f"proof of the optimizer 'partitioned' is '{proof}'; write parts or all.")


def _split(problem: Problem, count: int, by: str, rng: np.random.Generator) -> list[Rows]:
    """Parts of all rows but the kept ones. Raises RecipeError where clusters are asked for and the objective reads no dense vectors."""
    rows = np.setdiff1d(np.arange(problem.ground.size), problem.kept)
    if by == "random":
        return at_random(rows, count, rng)
    needs = [need.name for need in problem.objective.needs if need.view == "vectors"]
    dense = [one for name in needs if isinstance(one := problem.ground.vectors[name], Vectors)]
    if not dense:
        raise RecipeError(
            f"the optimizer 'partitioned' by cluster needs dense vectors and {problem.objective} reads none; write by: random."
        )
    return by_cluster(dense[0], rows, count, rng)


def _winners(problem: Problem, split: list[Rows], factor: float, by: str, rng: np.random.Generator) -> tuple[Rows, Gains, int]:
    """Winners of all parts, ascending; (n,) the rows that each stands for, as weights; and the gains evaluated."""
    names = represented(problem.objective)
    own = np.ones(problem.ground.size) if problem.ground.weights is None else problem.ground.weights
    weights, winners, asked = np.zeros(problem.ground.size), list[Rows](), 0
    for done, (part, seed) in enumerate(zip(split, rng.spawn(len(split)), strict=True)):
        inside = np.intersect1d(part, problem.candidates, assume_unique=True)
        if not len(inside):
            continue
        limit = share(problem.limit, inside, problem.candidates, factor)
        # A random part is a sample of all rows: each of its rows counts for as many, or a mixture would lose its balance.
        scale = problem.ground.size / len(part) if by == "random" else 1.0
        asked_of, numbers = _within(replace(problem, limit=limit), part, inside, scale * own[part])
        picks, finish = _run(lazy(asked_of, seed, mode="fast"))
        asked += finish.state.evaluations
        won = np.sort(numbers[np.array([pick.row for pick in picks], np.int64)])
        winners.append(won)
        if len(names) == 1:
            weights[won] = standing(problem.ground.vectors[names[0]], part, won, own[part], problem.ground.memory)
        else:
            weights[won] = own[part].sum() / max(1, len(won))
        problem.ground.progress("parts", done + 1, len(split))
        log.info("part %d of %d: %d rows, %d winners", done + 1, len(split), len(part), len(won))
    return np.sort(np.concatenate([NO_ROWS, *winners])), weights, asked


def standing(vectors: Similarity, part: Rows, winners: Rows, weights: Gains, memory: int) -> Gains:
    """(m,) for each winner the weight of the rows of its part that it is nearest to, the lowest winner on ties.

    Rows similar to no winner are left out: nothing can represent them.
    """
    if not len(winners):
        return np.empty(0)
    if isinstance(vectors, Vectors):
        labels, best = nearest(vectors.data[part], vectors.data[winners], rise.threads())
    else:
        local = vectors.take(np.concatenate([part, winners]))
        labels, best = np.zeros(len(part), np.int32), np.zeros(len(part), np.float32)
        for block in local.blocks(np.arange(len(part), len(part) + len(winners)), memory):
            values = block.values[:, : max(0, len(part) - block.first_row)]
            place = slice(block.first_row, block.first_row + values.shape[1])
            above = values.max(axis=0, initial=0.0) > best[place]
            labels[place] = np.where(above, values.argmax(axis=0) + block.candidates.start, labels[place])
            best[place] = np.maximum(best[place], values.max(axis=0, initial=0.0))
    return np.bincount(labels, weights * (best > 0), minlength=len(winners)).astype(np.float64)


def _within(problem: Problem, part: Rows, inside: Rows, weights: Gains) -> tuple[Problem, Rows]:
    """The problem of one part, and the row of the ground set that each of its row numbers stands for."""
    if not represented(problem.objective):
        return replace(problem, candidates=inside, ground=replace(problem.ground, progress=quiet)), np.arange(problem.ground.size)
    numbers = np.concatenate([part, problem.kept])
    weights = np.concatenate([weights, np.zeros(len(problem.kept))])  # kept rows are represented by themselves
    ground = replace(problem.ground.take(numbers), weights=weights, progress=quiet)
    kept = np.arange(len(part), len(numbers))
    return Problem(ground, problem.objective, taken(problem.limit, numbers), kept, np.searchsorted(part, inside)), numbers


def _among(problem: Problem, winners: Rows, weights: Gains) -> tuple[Problem, Rows]:
    asked, numbers = _within(problem, winners, winners, weights[winners])
    return replace(asked, ground=replace(asked.ground, progress=problem.ground.progress)), numbers


def _run(steps: Picks) -> tuple[list[Pick], Finish]:
    picks = []
    while True:
        try:
            picks.append(next(steps))
        except StopIteration as stop:
            return picks, stop.value


def _rest(problem: Problem, chosen: Rows, rng: np.random.Generator) -> Rows:
    """Rows beyond the winners that the limits still allow, in a random order: quotas can ask for rows that no part had to pick."""
    limit, rows = problem.limit.start(), list[int]()
    for row in chosen:
        limit.add(int(row))
    left = np.setdiff1d(problem.candidates, chosen) if limit.full is None else chosen[:0]
    for row in rng.permutation(left[limit.allows(left)]):
        if limit.full is not None:
            break
        if limit.allows(np.array([row]))[0]:
            limit.add(int(row))
            rows.append(int(row))
    return np.array(rows, np.int64)


def _exact(problem: Problem, rows: Rows, notes: tuple[str, ...]) -> Finish:
    """The value and the gains left over the whole ground set."""
    assert isinstance(problem.objective, Objective)
    state = problem.objective.start(problem.ground, np.concatenate([problem.kept, rows]))
    if represented(problem.objective):
        return Finish(state, notes=notes)
    before = problem.objective.start(problem.ground, problem.kept)
    opening = Opening(before.value, problem.candidates, before.gains(problem.candidates))
    bounds = np.full(problem.ground.size, np.inf)
    bounds[problem.candidates] = opening.gains  # gains only fall
    return Finish(state, bounds, opening, notes)
