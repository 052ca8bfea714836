"""The page without a server: how long until something moves, and until photos are captioned, in headless Chromium."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, BrowserContext

from capmodel.browser.__main__ import main as write_page
from capmodel.resources import PHOTOS
from tests.benchmarks.page import open_browser
from tests.support.servers.folder import serve_folder

FIRST, NEXT = (PHOTOS / name for name in ("toddler-with-teddy-bear.jpg", "dachshund-in-snow.jpg"))
STEPS = ("example caption", "first own caption", "next caption")
CAPTION = "count => document.querySelectorAll('.card:not(.waiting) p').length === count"


def measure_site(rounds: int) -> dict[str, dict[str, float]]:
    """Seconds since the page was opened (of the next caption: since its photo was added), the server on this machine."""
    times: dict[str, list[list[float]]] = {}
    with TemporaryDirectory() as folder, open_browser() as browser:
        with redirect_stdout(sys.stderr):  # what is printed here is the measurement
            write_page(["site", "--out", f"{folder}/site"])
            write_page(["site", "--single", "--out", f"{folder}/single/captioner.html"])
        for _ in range(rounds):
            for isolated in (False, True):
                name = "folder, threads" if isolated else "folder"
                with serve_folder(Path(folder, "site"), isolated) as address, _visitor(browser) as visitor:
                    for visit in ("first", "second"):
                        times.setdefault(f"{name}, {visit} visit", []).append(_time_visit(visitor, address))
            single = Path(folder, "single", "captioner.html").as_uri()
            with _visitor(browser) as visitor:
                times.setdefault("single file", []).append(_time_visit(visitor, single))
    seconds = {
        f"{name}: {step}": median(values)
        for name, rows in times.items()
        for step, values in zip(STEPS, zip(*rows, strict=True), strict=True)
    }
    first, second = (seconds[f"folder, {visit} visit: {STEPS[1]}"] for visit in ("first", "second"))
    return {"ratios": {"page without a server, second visit / first": second / first}, "seconds": seconds}


@contextmanager
def _visitor(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="no-preference")
    yield context
    context.close()


def _time_visit(visitor: BrowserContext, address: str) -> list[float]:
    """Opens the page, waits for the example that plays by itself, adds a photo, and then another."""
    page = visitor.new_page()
    now = "performance.now() / 1000"
    page.goto(address, wait_until="commit")
    page.wait_for_selector(".intro .said .now", timeout=60_000)
    example = page.evaluate(now)
    page.set_input_files(".root .files", FIRST)
    page.wait_for_function(CAPTION, arg=1, timeout=60_000)
    first = page.evaluate(now)
    page.set_input_files(".root .files", NEXT)
    page.wait_for_function(CAPTION, arg=2, timeout=60_000)
    times = [example, first, page.evaluate(now) - first]
    # The next visit finds what this one has left.
    page.evaluate(
        "Promise.race([navigator.serviceWorker?.ready, new Promise(end => setTimeout(end, 5000))]).then(() => 1)"
    )
    page.close()
    return times
