"""One visitor of the soak: a browser of its own, and a random choice of actions until the time is over."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.soak.actions import ACTIONS, SAVED, saving
from tests.soak.hands import Skipped
from tests.soak.report import Schedule, Tally
from tests.support.chromium import launch

PAUSE = 0.3, 3.0  # seconds between two actions
AT_ONCE = 60_000  # ms that the browser may take for what needs no answer, on a busy machine
STAY = 60, 600  # seconds until a visitor leaves, and another one comes
SCREENS = [(1280, 900), (1280, 900), (1920, 1080), (390, 844)]
CHOICES = {action.__name__: (action, often) for action, often in ACTIONS.items()}
CHOICES |= {f"save_{kind}": (saving(kind), often) for kind, often in SAVED.items()}
NAMES, WEIGHTS = list(CHOICES), [often for _, often in CHOICES.values()]


def visit(address: str, began: float, until: float, schedule: Schedule, seed: str) -> Tally:
    """Visits the page again and again, as one person after the other, between two moments of `time.monotonic()`.

    The same seed makes the same choices; how long each takes, and so how many there are, is the machine's.
    """
    random, tally = Random(seed), Tally()

    with sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        while time.monotonic() < until:
            time.sleep(schedule.left_of_rest(time.monotonic() - began))
            now = time.monotonic()
            leaves = min(until, now + random.uniform(*STAY), now + schedule.until_rest(now - began))
            try:
                with new_visitor(browser, address, random, tally) as page:
                    tally.done["come_as_new_visitor"] += 1
                    while time.monotonic() < leaves and act(page, random, tally):
                        page.wait_for_timeout(1000 * random.uniform(*PAUSE))
            except Error as error:  # the page did not even open, or is gone
                fail(tally, "come_as_new_visitor", error)
                time.sleep(PAUSE[1])
        browser.close()
    return tally


@contextmanager
def new_visitor(browser: Browser, address: str, random: Random, tally: Tally) -> Iterator[Page]:
    """A page opened by somebody who was never there; what goes wrong in it is noted."""
    width, height = random.choice(SCREENS)
    motion = random.choice(["reduce", "no-preference"])
    context = browser.new_context(
        viewport={"width": width, "height": height}, reduced_motion=motion, permissions=["camera"]
    )
    page = context.new_page()
    page.set_default_timeout(AT_ONCE)
    page.on("pageerror", lambda error: tally.page_errors.append(str(error)))
    page.on("console", lambda said: said.type == "error" and tally.page_errors.append(said.text))
    page.on("crash", lambda _: tally.page_errors.append("the page crashed"))
    try:
        page.goto(address)
        page.wait_for_selector(".strip button")
        yield page
    finally:
        context.close()


def act(page: Page, random: Random, tally: Tally) -> bool:
    """Does one thing, and counts it. Whoever meets a failure leaves: then it returns False."""
    [name] = random.choices(NAMES, WEIGHTS)
    try:
        CHOICES[name][0](page, random)
    except Skipped:
        tally.skipped[name] += 1
    except (Error, AssertionError) as error:
        fail(tally, name, error)
        return False
    else:
        tally.done[name] += 1
    return True


def fail(tally: Tally, name: str, error: Exception) -> None:
    tally.failed[name] += 1
    tally.failures.append(f"{name}: {error}")
