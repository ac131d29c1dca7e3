"""The page's own rules: what is data stays data, and every block comes out as a person needs it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from selector.report import charts
from selector.report.blocks import Chart, Column, Command, Example, Examples, Prose, Section, Table
from selector.report.page import cell, embedded, page, tied
from selector.report.sections import answer

NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \" ' \u2028 ]]> <!--"


class Tags(HTMLParser):
    """Every tag with its attributes, and the text of scripts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.scripts, self.inside = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.inside = dict(attributes) if tag == "script" else None
        if tag == "script":
            self.scripts.append([dict(attributes), ""])

    def handle_endtag(self, tag):
        self.inside = None if tag == "script" else self.inside

    def handle_data(self, data):
        if self.inside is not None:
            self.scripts[-1][1] += data


@pytest.fixture(scope="module")
def nasty():
    table = Table(NASTY, [Column(NASTY), Column("n", ",.0f")], [[NASTY, 1234], ["b", None]])
    figure = charts.figure([charts.line(NASTY, [0, 1], [2, 3], 0)], charts.plain(NASTY), "y")
    blocks = [
        Prose(NASTY),
        table,
        Chart(NASTY, figure, NASTY, table),
        Command(NASTY, NASTY, NASTY),
        Examples(NASTY, [Example(NASTY, [(NASTY, NASTY)])]),
    ]
    return page(NASTY, NASTY, [Section("one", NASTY, NASTY, blocks)], {NASTY: [NASTY, 1.5]}, [(NASTY, NASTY)])


def test_texts_make_no_tags_and_no_attributes(nasty):
    found = Tags(nasty)
    assert [tag for tag, _ in found.tags if tag == "img"] == []
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
    assert [one.get("type") for one, _ in found.scripts] == ["application/json", "application/json", None, None]


def test_data_comes_back_as_it_was(nasty):
    found = Tags(nasty)
    assert json.loads(found.scripts[0][1]) == {NASTY: [NASTY, 1.5]}
    figure = json.loads(found.scripts[1][1])["chart-0"]
    assert "<" not in json.dumps(figure)  # plotly would read tags in it
    assert figure["data"][0]["name"] == NASTY.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def test_the_policy_names_every_script_that_runs(nasty):
    found = Tags(nasty)
    policy = next(attributes["content"] for tag, attributes in found.tags if attributes.get("http-equiv") == "Content-Security-Policy")
    named = re.findall(r"'sha256-([^']+)'", policy)
    raw = re.findall(r"<script>(.*?)</script>", nasty, re.S)
    assert named == [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in raw]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "http" not in policy.replace("http-equiv", "")


def test_nothing_is_loaded_from_elsewhere(nasty):
    assert not [value for _, attributes in Tags(nasty).tags for name, value in attributes.items() if name in ("src", "srcset")]
    assert {attributes["href"] for tag, attributes in Tags(nasty).tags if tag == "link"} == {"data:,"}


def test_json_refuses_what_json_lacks():
    assert embedded({"a": "</script>"}) == '{"a":"\\u003c/script\\u003e"}'
    with pytest.raises(ValueError, match="JSON"):
        embedded([float("nan")])


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [(1234, ",.0f", "1,234"), (0.125, ".1%", "12.5%"), (None, ",.0f", "–"), ("text", ",.0f", "text"), ("a", "", "a")],
)
def test_cells(value, form, shown):
    assert cell(value, Column("x", form)) == shown


def test_a_page_is_the_same_twice():
    section = Section("one", "One", "lead", [Prose("text")])
    assert page("t", "l", [section], {"a": 1}) == page("t", "l", [section], {"a": 1})


def test_a_page_without_charts_needs_no_plots():
    assert len(page("t", "l", [Section("one", "One", "lead", [Prose("text")])], {})) < 60_000


@pytest.mark.parametrize(
    ("value", "form", "said"),
    [(-0.04, "+,.1f", "0.0"), (0.04, "+,.1f", "0.0"), (-0.00004, ",.4f", "0.0000"), (-0.06, "+,.1f", "-0.1"), (-10.0, "+,.0f", "-10"),
     (0, ",.0f", "0"), (None, ",.0f", "–"), ("-0.0", ",.1f", "-0.0")],
)  # fmt: skip
def test_a_zero_has_no_sign(value, form, said):
    assert cell(value, Column("t", form)) == said


def test_a_number_keeps_its_percent_sign():
    assert tied("from 3 % to 36 % of %") == "from 3\u00a0% to 36\u00a0% of %"


def test_what_is_due_to_length_alone_is_said():
    def place(layer, word, matched):
        told = {"name": "a", "word": word, "t": -9.0, "matched_word": matched, "matched_t": 0.0}
        return {"side": "response", "layer": layer, "types": 9, "half": 3,
                "subsets": [{**told, "half": 2, "types": 5, "half_at_random": None, "types_at_random": None}]}  # fmt: skip

    places = [place("meso", "thin", "as random"), place("micro", "diverse", "diverse"), place("macro", "as random", "as random")]
    found = {"places": places, "limit": 3.0, "rule": "r", "next": {"command": "c", "why": "w"}}
    lead = answer.section(found).lead
    assert lead == ("a is thin at response/meso (but not at equal length), diverse at response/micro, like random subsets elsewhere.")
