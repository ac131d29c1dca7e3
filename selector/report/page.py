"""Sections -> one HTML file that needs nothing else: no network, no other file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from selector.report.blocks import Cell, Chart, Column, Section, Special

HERE = Path(__file__).parent / "templates"


def page(title: str, lead: str, sections: Sequence[Section], data: Mapping[str, Any], facts: Sequence[tuple[str, str]] = ()) -> str:
    """The page: a title, one sentence, `facts` as short pairs, then the sections. `data` is what a reader downloads as JSON.

    Whatever the texts hold, nothing in them runs: they are escaped where they are HTML, stand in blocks of JSON that no browser runs where
    scripts read them, and the page's own policy names the two scripts that may run by their SHA-256 and allows no connection.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    blocks = [block for section in sections for block in section.blocks]
    charts = [block for block in blocks if isinstance(block, Chart)]
    specials = sorted({block.template for block in blocks if isinstance(block, Special)})
    own = ["page.js", *(f"{name}.js" for name in specials if (HERE / f"{name}.js").is_file())]
    scripts = [*([_plotly()] if charts or len(own) > 1 else []), *((HERE / name).read_text(encoding="utf-8") for name in own)]
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "cell": cell,
        "tied": tied,
        "kind": lambda block: type(block).__name__.lower(),
        "json": lambda value: Markup(embedded(value)),
    }
    return environment.get_template("page.html").render(
        title=title,
        lead=lead,
        facts=facts,
        sections=sections,
        numbers=data,
        compiles="map" in specials,  # plotly compiles its drawing of many points; nothing else may
        figures={f"chart-{number}": chart.figure for number, chart in enumerate(charts)},
        chart_names={id(chart): f"chart-{number}" for number, chart in enumerate(charts)},
        id=id,
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        scripts=[Markup(script) for script in scripts],
        hashes=" ".join(f"'sha256-{_digest(script)}'" for script in scripts),
    )


def embedded(value: Any) -> str:
    """JSON for a script block: no character in it can end the block. Raises ValueError for NaN and infinity, which JSON lacks."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def cell(value: Cell, column: Column) -> str:
    """A cell as a person reads it."""
    if value is None:
        return "–"
    if not column.form or isinstance(value, str):
        return str(value)
    said = format(value, column.form)
    return said if said[0] not in "+-" or any("1" <= letter <= "9" for letter in said) else said[1:]  # a zero has no sign


def tied(text: str) -> str:
    """The text with no line break between a number and its % sign."""
    return re.sub(r"(?<=\d) %", "\u00a0%", text)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())
