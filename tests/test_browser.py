"""The page in a real browser: no error and no request, pointing, choosing, sorting, themes, a phone, accessibility, hostile rows."""

from __future__ import annotations

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import selector
from selector import diagnosing
from tests.browser import chromium, opened, seen_whole

WORDS = {"layers": {"macro": {"encoder": "static"}, "micro": {"band": "3:100"}, "meso": {"min_count": 1}}, "diagnosis": {"references": 3}}
HACK = "window.hacked = true"
HOSTILE = [
    f"</script><script>{HACK}</script>",
    f"<img src=x onerror='{HACK}'>",
    f'"><svg onload="{HACK}">',
    f"<a href='javascript:{HACK}'>here</a>",
    "{{ 7 * 7 }} {% raw %} ${7 * 7} <%= 7 * 7 %>",
    "\u202egnp.exe\u202c \u2066isolate\u2069 \u200b\u200d\ufeff",
    "".join(chr(code) for code in range(1, 32)) + "\x7f\x85\u2028\u2029",
    "👩‍👩‍👧‍👦 🏴‍☠️ 日本語 العربية \U0001f9ff",
    "x" * 100_000,
    "<!-- ]]> &lt;script&gt; \\u003cscript\\u003e --color",
    "=cmd|' /C calc'!A0",
    "--series-1",
]


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The page of two subsets of a part of the demo."""
    place = tmp_path_factory.mktemp("page")
    pool = selector.Pool.read("demo").take(np.arange(240))
    subsets = {"spread": np.arange(0, 240, 4), "first": np.arange(60)}
    for name, rows in subsets.items():
        pq.write_table(pool.take(rows).table, place / f"{name}.parquet")
    options = selector.Options(cache=place / "cache")
    found = diagnosing.diagnose(pool, [str(place / f"{name}.parquet") for name in subsets], options=options, **WORDS)
    return found.save(place / "page.html"), found.found


@pytest.fixture(scope="module")
def whole(browser, made):
    """That page in the light, opened once and scrolled through: to be looked at. What a test unfolds stays so."""
    with opened(browser, made[0], color_scheme="light") as told:
        seen_whole(told.page)
        yield told


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The page of a pool whose texts, tags, sources, columns and file names are as bad as they get."""
    place = tmp_path_factory.mktemp("hostile")
    rows = [
        {"instruction": f"{HOSTILE[number % 12]} {number}", "response": f"{number} {HOSTILE[(number + 5) % 12]}",
         "source": HOSTILE[number % 4], "tags": [HOSTILE[number % 5], HOSTILE[number % 7]]}
        for number in range(96)
    ]  # fmt: skip
    name = "<img src=x onerror=window.hacked=1>.parquet"
    pq.write_table(pa.Table.from_pylist(rows), place / name)
    pq.write_table(pa.Table.from_pylist(rows[:30]), place / f"half {name}")
    layers = {"macro": {"encoder": "static"}, "micro": {"band": "1:100"}, "meso": {"tagger": "column:tags"}}
    found = diagnosing.diagnose(str(place / name), [str(place / f"half {name}")], options=selector.Options(cache=place / "cache"),
                                layers=layers, diagnosis={"references": 3, "synthetic": [HOSTILE[0]]})  # fmt: skip
    return found.save(place / "page.html")


def test_it_opens_without_an_error_or_a_request(whole, made):
    assert whole.errors == []
    assert whole.requests == [made[0].as_uri()]
    assert whole.page.locator("h1").inner_text() == "spread, first of demo"
    repeated = "(all => all.length - new Set(all).size)([...document.querySelectorAll('[id]')].map((one) => one.id))"
    assert whole.page.evaluate(repeated) == 0


def test_pointing_at_a_row_shows_it(browser, made):
    path, found = made
    with opened(browser, path) as told:
        page = told.page
        page.locator("#map-view").scroll_into_view_if_needed()
        page.wait_for_function("document.querySelector('#map-plot .main-svg')")
        page.wait_for_timeout(300)
        x, y, point = page.evaluate(
            """() => {
                const plot = document.getElementById("map-plot"), box = plot.getBoundingClientRect(), { xaxis, yaxis } = plot._fullLayout;
                const one = plot.data[plot.data.length - 1];
                return [box.left + xaxis._offset + xaxis.l2p(one.x[0]), box.top + yaxis._offset + yaxis.l2p(one.y[0]), one.customdata[0]];
            }"""
        )
        page.mouse.move(x - 40, y - 40)
        page.mouse.move(x, y, steps=4)
        page.wait_for_function("document.querySelector('#map-panel h3')")
        shown = page.locator("#map-panel").inner_text()
        texts = [text for text in found["atlas"]["texts"]["instruction"] if text in shown]
        assert texts
        assert found["atlas"]["ids"][point] in shown or len(texts) == 1


def test_a_subset_is_switched_on_and_off(browser, made):
    path, found = made
    with opened(browser, path) as told:
        page = told.page
        page.locator("#map-view").scroll_into_view_if_needed()
        page.wait_for_function("document.querySelector('#map-plot .main-svg')")
        drawn = "document.getElementById('map-plot').data.map((one) => one.customdata.length)"
        points = [len(one["points"]) for one in found["atlas"]["sets"]]
        assert page.evaluate(drawn) == [points[0], points[2]]
        page.locator("#map-view [data-set='3']").click()
        assert page.locator("#map-view [data-set='3']").get_attribute("aria-pressed") == "true"
        assert page.evaluate(drawn) == [points[0], points[2], points[3]]
        page.locator("#map-view [data-set='0']").click()
        assert page.evaluate(drawn) == [points[2], points[3]]
        page.locator("#map-view [data-side=response]").click()
        first = found["atlas"]["sides"]["response"]["x"][found["atlas"]["sets"][2]["points"][0]]
        assert page.evaluate("document.getElementById('map-plot').data[0].x[0]") == first


def test_a_cluster_is_read_by_keyboard(browser, made):
    path, found = made
    with opened(browser, path) as told:
        page = told.page
        page.locator("#map-view").scroll_into_view_if_needed()
        page.wait_for_function("document.querySelector('#map-plot .main-svg')")
        page.locator("#map-cluster").focus()
        page.keyboard.press("ArrowDown")
        page.wait_for_function("document.querySelector('#map-panel h3')")
        largest = found["atlas"]["sides"]["instruction"]["clusters"][0]
        shown = page.locator("#map-panel").inner_text()
        assert largest["name"] in shown
        assert found["atlas"]["texts"]["instruction"][largest["examples"][0]] in shown


def test_a_table_is_sorted_by_its_heads(browser, made):
    path, _ = made
    with opened(browser, path) as told:
        page = told.page
        table = page.locator("#answer table").first
        head = table.locator("thead th").nth(3)
        numbers = "one => [...one.tBodies[0].rows].map((row) => row.children[3].dataset.value).filter((value) => value).map(Number)"
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == "ascending"
        rising = table.evaluate(numbers)
        assert rising == sorted(rising)
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == "descending"
        assert table.evaluate(numbers) == rising[::-1]
        assert "sorted by" in page.locator("#said").inner_text()


def test_paper_is_light_and_has_every_plot(browser, made):
    path, _ = made
    with opened(browser, path, color_scheme="dark") as told:
        page = told.page
        ground = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(ground) == "rgb(18, 20, 24)"
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate(ground) == "rgb(255, 255, 255)"
        page.wait_for_function("[...document.querySelectorAll('.chart')].every(one => one.querySelector('.main-svg'))")
        wide = "Math.max(...[...document.querySelectorAll('.chart .main-svg')].map((one) => one.getBoundingClientRect().width))"
        assert page.evaluate(wide) <= 700  # CSS pixels: A4 without its margins
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert page.evaluate(ground) == "rgb(18, 20, 24)"
        page.wait_for_function(f"{wide} > 1000")
        assert told.errors == []


def test_the_numbers_are_saved(browser, made):
    path, found = made
    with opened(browser, path) as told, told.page.expect_download() as waiting:
        told.page.locator("#download").click()
        assert json.loads(waiting.value.path().read_text(encoding="utf-8")) == json.loads(json.dumps(found))


def test_light_dark_and_a_phone(browser, made):
    """Pictures that are not blank, differ in their ground, and no page wider than its screen."""
    image = pytest.importorskip("PIL.Image")
    path, _ = made
    grounds = {}
    for name, context in {
        "light": {"color_scheme": "light"},
        "dark": {"color_scheme": "dark"},
        "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "device_scale_factor": 2},
    }.items():
        with opened(browser, path, **context) as told:
            told.page.wait_for_function("document.querySelector('#answer .main-svg')")
            picture = image.open(io.BytesIO(told.page.screenshot())).convert("RGB")
            grounds[name] = picture.getpixel((3, 3))
            assert len(set(picture.resize((60, 60)).getcolors(3600))) > 20
            assert told.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
            if name == "light":
                told.page.locator("#theme").click()
                assert told.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 20, 24)"
            assert told.errors == []
    assert sum(grounds["light"]) > 700
    assert sum(grounds["dark"]) < 100


def serious_faults(page, **part):
    """By axe, everything unfolded."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = axe.run(page, **part).response["violations"]
    return {one["id"]: [node["html"][:200] for node in one["nodes"][:3]] for one in found if one["impact"] in ("serious", "critical")}


def test_no_serious_fault_of_accessibility(whole):
    assert serious_faults(whole.page) == {}


def test_no_serious_fault_of_accessibility_in_the_dark(browser, made):
    """The first section and the map: only colours differ there."""
    with opened(browser, made[0], color_scheme="dark") as told:
        assert serious_faults(told.page, context={"include": [["header"], ["#answer"], ["#map"]]}) == {}


def test_hostile_rows_neither_run_nor_break_the_page(browser, hostile):
    with opened(browser, hostile) as told:
        page = told.page
        seen_whole(page)
        for button in page.locator("#map-view [data-set], #map-view [data-side]").all():
            button.click()
        for place in range(1, 4):
            page.locator("#map-cluster").select_option(index=place)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.wait_for_timeout(300)
        assert page.evaluate("window.hacked") is None
        assert told.errors == []
        assert told.requests == [hostile.as_uri()]
        assert page.locator("main img, main iframe, main object, main embed, main script, main a[href^=javascript]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert "</script>" in page.locator("#map-panel, main").first.inner_text()
        left = page.evaluate("document.body.innerText.match(/[\\u0000-\\u0008\\u000e-\\u001f\\u202a-\\u202e\\u2066-\\u2069]/)")
        assert left is None


def test_the_policy_stops_a_script_that_got_in(browser, made):
    """Defence in depth: even markup that were put into the page cannot run anything."""
    path, _ = made
    with opened(browser, path) as told:
        told.page.evaluate(
            f"document.body.insertAdjacentHTML('beforeend', `<img src=x onerror='{HACK}'><a id=lure href='javascript:{HACK}'>x</a>`)"
        )
        told.page.evaluate(
            f"() => {{ const made = document.createElement('script'); made.textContent = '{HACK}'; document.body.append(made); }}"
        )
        told.page.locator("#lure").click()
        told.page.wait_for_timeout(300)
        assert told.page.evaluate("window.hacked") is None
