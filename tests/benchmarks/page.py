"""The page against the command line: twelve photos of 12 megapixels, on the same machine."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from capmodel import Captioner, DecodeOptions
from capmodel.photos.folders import list_photos
from capmodel.resources import PHOTOS
from tests.support.chromium import launch
from tests.support.servers.page import serve_page

COUNT, SIDES = 12, (4000, 3000)
REST = 1.0  # seconds before each measurement: a processor that rested is slower at first, here and there

# Notes, in the page, when files were chosen and when the browser had drawn the first and the last caption.
WATCH = """count => {
    const times = window.times = {};
    document.querySelector('.root .files').addEventListener('change', () => { times.begin = performance.now(); }, true);
    const mark = new MutationObserver(() => {
        const captions = [...document.querySelectorAll('.card p')].filter(each => each.textContent);
        for (const each of captions) each.elementTiming = 'caption';
    });
    mark.observe(document.querySelector('.cards'), { childList: true, subtree: true });
    const drawn = new PerformanceObserver(entries => {
        const moments = window.moments = (window.moments ?? []).concat(entries.getEntries().map(each => each.renderTime));
        times.first ??= moments[0];
        if (moments.length >= count) times.last ??= moments[count - 1];
    });
    drawn.observe({ type: 'element' });
}"""


def measure_page(rounds: int) -> dict[str, dict[str, float]]:
    """Twelve photos in the page over the command line (model loaded), both in fp32; every round has photos of its own."""
    captioner = Captioner.from_pretrained(precision="fp32")
    lines, pages = [], []
    with serve_page() as (address, _), browser_pages(address, 1) as [page], TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            lines.append(_time_line(captioner, make_photos(Path(folder, f"line-{number}"), 2 * number)))
            pages.append(_time_page(page, make_photos(Path(folder, f"page-{number}"), 2 * number + 1)))
    # The first round warms everything up.
    one, twelve = (median(values) for values in zip(*lines[1:], strict=True))
    first, last = (median(values) for values in zip(*pages[1:], strict=True))
    return {
        "ratios": {
            "page, first caption / command line, one photo": first / one,
            "page, last caption / command line, twelve photos": last / twelve,
        },
        "seconds": {
            "command line, one photo": one,
            "command line, twelve photos": twelve,
            "page, first caption": first,
            "page, last caption": last,
        },
    }


def make_photos(folder: Path, seed: int) -> list[Path]:
    """Twelve of the example photos, enlarged to 12 megapixels, with noise that makes them new."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    paths = []
    for source in list_photos(PHOTOS)[:COUNT]:
        with Image.open(source) as image:
            pixels = np.asarray(image.convert("RGB").resize(SIDES))
        noisy = (pixels.astype(np.int16) + random.integers(-3, 4, (*pixels.shape[:2], 1), np.int16)).clip(0, 255)
        paths.append(folder / source.name)
        Image.fromarray(noisy.astype(np.uint8)).save(paths[-1], quality=90)
    return paths


def _time_line(captioner: Captioner, photos: list[Path]) -> tuple[float, float]:
    """One photo, and all, as `python -m capmodel` captions them."""
    times = []
    for wanted in (photos[:1], photos):
        time.sleep(REST)
        began = time.perf_counter()
        list(captioner.stream(wanted, DecodeOptions(alternatives=0)))
        times.append(time.perf_counter() - began)
    return times[0], times[1]


def _time_page(page: Page, photos: list[Path]) -> tuple[float, float]:
    if page.is_visible(".root .clear"):
        page.click(".root .clear")  # else a page that is loaded again keeps its photos
    page.reload()
    page.wait_for_selector(".root.ready .choose")
    page.evaluate(WATCH, len(photos))
    time.sleep(REST)
    page.set_input_files(".root .files", photos)
    # Not at every frame, which is the default: the browser would draw all the time.
    page.wait_for_function("window.times.last", timeout=120_000, polling=200)
    times = page.evaluate("window.times")
    return (times["first"] - times["begin"]) / 1000, (times["last"] - times["begin"]) / 1000


@contextmanager
def browser_pages(address: str, count: int) -> Iterator[list[Page]]:
    """So many visitors of the page, in headless Chromium."""
    with open_browser() as browser:
        pages = [browser.new_page(viewport={"width": 1280, "height": 900}) for _ in range(count)]
        for page in pages:
            page.goto(address)
            page.wait_for_selector(".root.ready .choose")
        yield pages


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Headless Chromium."""
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        yield browser
        browser.close()
