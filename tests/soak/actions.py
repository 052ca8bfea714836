"""What the visitors of the soak do: each action is done, or `Skipped` where the page does not offer it at the moment."""

import base64
from collections.abc import Callable
from random import Random

from playwright.sync_api import Page

from tests.soak.hands import PATIENCE, Skipped, answered, any_of, panel, settle
from tests.soak.photos import new_photo, odd_file

MANY = 40  # photos in a page; then a visitor brings no more before some are gone
ZIPPED = 5  # photos in a ZIP, at most: a video of each takes seconds

# Hands a file to the page as a drop does.
DROP = """([name, type, text]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(text), char => char.charCodeAt(0))], name, { type }));
    document.querySelector('.root').dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


# ---- photos come and go ----


def room(page: Page) -> None:
    if page.locator(".card").count() > MANY:
        raise Skipped


def choose_photos(page: Page, random: Random) -> None:
    room(page)
    page.set_input_files(".root .files", [new_photo(random) for _ in range(random.randint(1, 4))])
    settle(page)


def choose_photos_and_reload(page: Page, random: Random) -> None:
    """Leaves while photos are on their way, the first of them half sent."""
    page.set_input_files(".root .files", [new_photo(random) for _ in range(random.randint(4, 8))])
    page.wait_for_timeout(random.choice([0, 50, 200, 800]))
    reload(page, random)


def drop_photo(page: Page, random: Random) -> None:
    room(page)
    photo = new_photo(random)
    page.evaluate(DROP, [photo["name"], photo["mimeType"], base64.b64encode(photo["buffer"]).decode()])
    settle(page)


def choose_odd_file(page: Page, random: Random) -> None:
    page.set_input_files(".root .files", [odd_file(random)])
    settle(page)
    page.locator(".card.bad").last.wait_for()


def take_photo(page: Page, random: Random) -> None:
    room(page)
    any_of(page, random, ".camera").click()
    page.wait_for_function("() => document.querySelector('.studio video').videoWidth > 0")
    page.locator(".snap").click()
    settle(page)


def stop_and_go_on(page: Page, random: Random) -> None:
    room(page)
    page.set_input_files(".root .files", [new_photo(random) for _ in range(8)])
    stop = any_of(page, random, ".stop")
    stop.click()
    page.wait_for_timeout(1000)
    if page.locator(".stop").inner_text() == "Go on":
        page.locator(".stop").click()
    settle(page)


def try_example(page: Page, random: Random) -> None:
    any_of(page, random, ".strip button").click()
    settle(page)


def try_all_examples(page: Page, random: Random) -> None:
    room(page)
    any_of(page, random, ".all").click()
    settle(page)


def open_case(page: Page, random: Random) -> None:
    any_of(page, random, ".case button").click()
    settle(page)


def remove_photo(page: Page, random: Random) -> None:
    any_of(page, random, ".card .remove").click()


def clear_all(page: Page, random: Random) -> None:
    any_of(page, random, ".clear").click()
    page.locator(".card").first.wait_for(state="detached")


def reload(page: Page, random: Random) -> None:
    page.reload()
    page.wait_for_selector(".strip button")


# ---- the player ----


def pick_photo(page: Page, random: Random) -> None:
    any_of(page, random, ".card .pick").click()


def click_word(page: Page, random: Random) -> None:
    any_of(page, random, ".words button").click()


def point_at_words(page: Page, random: Random) -> None:
    for _ in range(3):
        any_of(page, random, ".words button").hover()
        page.wait_for_timeout(200)


def point_at_photo(page: Page, random: Random) -> None:
    frame = any_of(page, random, ".frame")
    box = frame.bounding_box()
    for _ in range(4):
        place = {"x": random.uniform(0.05, 0.95) * box["width"], "y": random.uniform(0.05, 0.95) * box["height"]}
        frame.hover(position=place, force=True)


def keys(page: Page, random: Random) -> None:
    any_of(page, random, ".words button[aria-pressed=true]").focus()
    for _ in range(6):
        page.keyboard.press(random.choice(["ArrowRight", "ArrowLeft", "Home", "End"]))


def play(page: Page, random: Random) -> None:
    page.locator(".speed").select_option("2") if page.locator(".speed").is_visible() else None
    any_of(page, random, ".play").click()
    page.wait_for_timeout(random.uniform(500, 8000))


def bare_cells(page: Page, random: Random) -> None:
    any_of(page, random, ".raw").click()


def full_screen(page: Page, random: Random) -> None:
    any_of(page, random, ".full").click()
    page.locator(".player.fills").wait_for()
    for _ in range(3):
        any_of(page, random, ".words button").click()
        page.wait_for_timeout(300)
    page.keyboard.press("f")
    page.locator(".player.fills").wait_for(state="detached")


# ---- questions to the server ----


def other_word(page: Page, random: Random) -> None:
    panel(page, random, "Other words")
    any_of(page, random, ".words button").click()
    any_of(page, random, ".chips button.chip").click()
    page.locator(".panel .busy").wait_for(state="detached", timeout=PATIENCE)  # there may be an undo from before
    answered(page, ".undo")


def undo(page: Page, random: Random) -> None:
    any_of(page, random, ".undo").click()


def other_caption(page: Page, random: Random) -> None:
    panel(page, random, "Other captions")
    answered(page, ".choices button")
    any_of(page, random, ".choices button").click()


def hide_cells(page: Page, random: Random) -> None:
    panel(page, random, "Did it really look there?")
    any_of(page, random, ".words button").click()
    if random.random() < 0.5:
        any_of(page, random, ".cells button").click()
    any_of(page, random, ".panel .hide").click()
    answered(page, ".verdict")


def compare_attentions(page: Page, random: Random) -> None:
    panel(page, random, "Ways to attend")
    answered(page, ".way")
    any_of(page, random, ".together").click()
    page.wait_for_timeout(random.uniform(500, 5000))


def use_attention(page: Page, random: Random) -> None:
    panel(page, random, "Ways to attend")
    answered(page, ".way")
    chosen = any_of(page, random, ".choose-attention button")
    said = f"Captions are now written with {chosen.inner_text()} attention."
    chosen.click()
    page.locator(".live", has_text=said).wait_for(
        state="attached", timeout=PATIENCE
    )  # all photos have their new caption


def guess(page: Page, random: Random) -> None:
    panel(page, random, "Guess where")
    for _ in range(3):
        again = page.locator(".panel button.primary")
        if again.count():
            again.first.click()
        any_of(page, random, ".cells button").click()
        answered(page, ".score")


def saving(kind: str) -> Callable[[Page, Random], None]:
    def save(page: Page, random: Random) -> None:
        if kind == "zip" and page.locator(".card.done").count() > ZIPPED:
            raise Skipped
        panel(page, random, "Save")
        button = any_of(page, random, f".save-{kind}")
        with page.expect_download(timeout=PATIENCE) as download:
            button.click()
            answered(page, ".panel .file")
        if download.value.path().stat().st_size == 0:
            raise AssertionError("an empty file")
        download.value.delete()

    return save


def save_and_reload(page: Page, random: Random) -> None:
    """Leaves while the server makes a file."""
    if page.locator(".card.done").count() > ZIPPED:
        raise Skipped
    panel(page, random, "Save")
    any_of(page, random, ".save-zip").click()
    page.wait_for_timeout(random.uniform(0, 2000))
    reload(page, random)


# How often each is done, by the others.
ACTIONS: dict[Callable[[Page, Random], None], int] = {
    choose_photos: 12,
    choose_photos_and_reload: 2,
    drop_photo: 4,
    choose_odd_file: 2,
    take_photo: 2,
    stop_and_go_on: 1,
    try_example: 6,
    try_all_examples: 1,
    open_case: 2,
    remove_photo: 4,
    clear_all: 2,
    reload: 2,
    pick_photo: 10,
    click_word: 10,
    point_at_words: 6,
    point_at_photo: 4,
    keys: 4,
    play: 6,
    bare_cells: 4,
    full_screen: 4,
    other_word: 10,
    undo: 4,
    other_caption: 6,
    hide_cells: 8,
    compare_attentions: 6,
    use_attention: 3,
    guess: 5,
    save_and_reload: 1,
}
SAVED = {"png": 2, "gif": 3, "mp4": 2, "json": 2, "csv": 2, "html": 2, "zip": 2}
