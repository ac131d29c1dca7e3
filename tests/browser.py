"""A real browser for the tests that open a page in one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium; the test is skipped where there is none, unless SELECTOR_BROWSER=required."""
    sync_api = pytest.importorskip("playwright.sync_api")
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    with sync_api.sync_playwright() as playwright:
        found = found or playwright.chromium.executable_path
        if not Path(found).exists():
            if os.environ.get("SELECTOR_BROWSER") == "required":
                pytest.fail(f"no Chromium among {', '.join(NAMES)}, and none that playwright installed")
            pytest.skip("no Chromium here; install one, or run `playwright install chromium`")
        # A sandbox needs rights that containers lack; pictures of many points need WebGL, which runs without a graphics card so.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--enable-unsafe-swiftshader"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Opened:
    """A page, and what it did that nobody asked for."""

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def opened(browser: Any, path: Path, **context: Any) -> Iterator[Opened]:
    """The file in a fresh context, with console errors and requests written down."""
    made = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **context})
    told = Opened(made.new_page())
    told.page.on("console", lambda message: told.errors.append(message.text) if message.type == "error" else None)
    told.page.on("pageerror", lambda error: told.errors.append(str(error)))
    told.page.on("request", lambda request: told.requests.append(request.url))
    told.page.on("dialog", lambda dialog: (told.errors.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    try:
        told.page.goto(path.as_uri())
        yield told
    finally:
        made.close()


def seen_whole(page: Any) -> None:
    """Scrolls through, so that every plot is drawn."""
    for place in range(0, page.evaluate("document.body.scrollHeight"), 700):
        page.evaluate(f"window.scrollTo(0, {place})")
        page.wait_for_timeout(60)
    page.wait_for_function("[...document.querySelectorAll('.chart')].every(one => one.querySelector('.main-svg'))", timeout=30_000)
    page.evaluate("window.scrollTo(0, 0)")
