"""What the tests of the page share: a running page, a browser, and what a person would see there."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from support.chromium import installed, launch
from support.require import require

VIEWPORT = {"width": 1280, "height": 900}

expect.set_options(timeout=20_000)  # of 5,000 ms, a busy machine with two workers may need all


@contextmanager
def start_browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        message = (
            "The tests of the page need Chromium: apt install chromium-headless-shell, or playwright install chromium."
        )
        require(installed(playwright.chromium), message)
        browser = launch(playwright.chromium)
        yield browser
        browser.close()


@contextmanager
def open_context(browser: Browser, **options) -> Iterator[BrowserContext]:
    """A visitor, who may open the page several times: the browser compiles its scripts for each visitor anew."""
    context = browser.new_context(**{"viewport": VIEWPORT, **options})
    yield context
    context.close()


@contextmanager
def visit(context: BrowserContext, address: str) -> Iterator[Page]:
    """A page in a new tab, watched by `watch`."""
    page = context.new_page()
    with watch(page, address):
        yield page
        page.close()


@contextmanager
def visit_again(page: Page, address: str) -> Iterator[Page]:
    """The same in a tab that was used before, as if it were new. To open a new one takes twice as long."""
    page.set_viewport_size(VIEWPORT)
    page.mouse.move(0, 0)
    with watch(page, address):
        yield page
        page.unroute_all()
        page.goto(f"{address}theme.css")  # the page stores something when it is left: forget it only afterwards
        forget(page, address)


@contextmanager
def watch(page: Page, address: str) -> Iterator[None]:
    """Opens an address; on leaving, that nothing went wrong in the page and that it asked nobody else for anything."""
    problems, outside = [], []
    own = (address.partition("?")[0], "data:", "blob:")
    listeners = {
        "pageerror": lambda error: problems.append(str(error)),
        "console": lambda message: message.type == "error" and problems.append(message.text),
        "request": lambda request: None if request.url.startswith(own) else outside.append(request.url),
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    page.goto(address)
    page.wait_for_selector(".root.ready .choose", state="attached")
    yield
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    assert problems == [], problems
    assert outside == [], outside


@contextmanager
def open_page(browser: Browser, address: str, **context_options) -> Iterator[Page]:
    """The same for a visitor who was never there."""
    with open_context(browser, **context_options) as context, visit(context, address) as page:
        yield page


def forget(page: Page, address: str) -> None:
    """Takes away what pages at an address have stored in the browser; the tab shows one of them."""
    question = {"origin": address.rstrip("/"), "storageTypes": "all"}
    session = page.context.new_cdp_session(page)
    session.send("Storage.clearDataForOrigin", question)
    session.detach()
    page.evaluate("sessionStorage.clear()")  # which is the tab's


def upload(page: Page, files) -> None:
    page.set_input_files(".root .files", files)


def captions(page: Page, count: int) -> list[str]:
    """Waits until `count` photos are captioned (or refused), and reads their cards."""
    expect(page.locator(".card:not(.waiting)")).to_have_count(count, timeout=60_000)
    expect(page.locator(".card.waiting")).to_have_count(0)
    return page.locator(".card p").all_inner_texts()


def canvas(page: Page) -> np.ndarray:
    """The overlay's opacity as it is on the screen: (height, width), 0..255."""
    [overlay] = overlays(page, ".player .frame canvas")
    return overlay


def overlays(page: Page, selector: str) -> list[np.ndarray]:
    """The same of every canvas that is found."""
    urls = page.locator(selector).evaluate_all("all => all.map(canvas => canvas.toDataURL('image/png'))")
    pictures = [Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) for url in urls]
    return [np.asarray(picture)[..., 3].astype(int) for picture in pictures]


def count_changes(page: Page, selector: str) -> int:
    """How many pictures an overlay shows in the 12 frames after the second word was chosen."""
    return page.evaluate(
        """async selector => {
            const canvas = document.querySelector(selector), seen = new Set();
            document.querySelectorAll('.words button')[1].click();
            for (let frame = 0; frame < 12; frame++) {
                await new Promise(requestAnimationFrame);
                seen.add(canvas.toDataURL());
            }
            return seen.size;
        }""",
        selector,
    )
