"""How a visitor of the soak finds things in the page, and waits for what comes of them."""

from random import Random

from playwright.sync_api import Locator, Page

PATIENCE = 300_000  # ms, after which what should come has failed to come


class Skipped(Exception):
    """The page does not offer this at the moment."""


def any_of(page: Page, random: Random, selector: str) -> Locator:
    """One of the elements that are visible and can be pressed.

    Raises:
        Skipped: there is none.
    """
    count = page.locator(selector).count()
    for index in random.sample(range(count), count):
        found = page.locator(selector).nth(index)
        if found.is_visible() and found.is_enabled():
            return found
    raise Skipped


def settle(page: Page) -> None:
    """Waits until no photo is waiting for its caption."""
    page.wait_for_function("() => !document.querySelector('.card.waiting')", timeout=PATIENCE, polling=200)


def panel(page: Page, random: Random, name: str) -> None:
    """Opens a panel below the caption, if it is not open."""
    button = any_of(page, random, f".tools button:has-text('{name}')")
    if button.get_attribute("aria-expanded") != "true":
        button.click()


def answered(page: Page, selector: str) -> None:
    """Waits for what an answer brings; fails where the page tells of an error instead."""
    page.wait_for_selector(f"{selector}, .panel .error", timeout=PATIENCE)
    error = page.locator(".panel .error")
    if error.count():
        raise AssertionError(f"the page says: {error.first.inner_text()}")
