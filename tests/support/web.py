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
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    yield context
    context.close()


@contextmanager
def visit(context: BrowserContext, address: str, *, anew: bool = False) -> Iterator[Page]:
    """A page at an address; on leaving, that nothing went wrong in it and that it asked nobody else for anything.

    Args:
        anew: the browser forgets earlier visits. A context of its own would also forget the scripts.
    """
    page = context.new_page()
    if anew:
        forget(page, address)
    problems, outside = [], []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: message.type == "error" and problems.append(message.text))
    own = (address.partition("?")[0], "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(own) else outside.append(request.url))
    page.goto(address)
    page.wait_for_selector(".root.ready .choose", state="attached")
    yield page
    page.close()
    assert problems == [], problems
    assert outside == [], outside


@contextmanager
def open_page(browser: Browser, address: str, **context_options) -> Iterator[Page]:
    """The same for a visitor who was never there."""
    with open_context(browser, **context_options) as context, visit(context, address) as page:
        yield page


def forget(page: Page, address: str) -> None:
    """Takes away what pages at an address have stored in the browser."""
    question = {"origin": address.rstrip("/"), "storageTypes": "all"}
    page.context.new_cdp_session(page).send("Storage.clearDataForOrigin", question)


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
