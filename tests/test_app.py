"""The page in a browser, with the bundled model: photos in, captions out, maps over the photo."""

import base64
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import PHOTOS, require
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from app import build_app, launch_options
from capmodel import Captioner

TWELVE = sorted(PHOTOS.glob("*.jpg"))[:12]
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def captioner():
    return Captioner.from_pretrained()


@pytest.fixture(scope="module")
def url(captioner):
    app = build_app(captioner)
    _, address, _ = app.launch(**launch_options(), server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    yield address
    app.close()


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        found = binary is not None or Path(playwright.chromium.executable_path).exists()
        require(found, "The tests of the page need Chromium: apt install chromium, or playwright install chromium.")
        browser = playwright.chromium.launch(executable_path=binary, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, url):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda message: message.type == "error" and page.problems.append(message.text))
    page.outside = []
    page.on(
        "request",
        lambda request: None if request.url.startswith((url, "data:", "blob:")) else page.outside.append(request.url),
    )
    page.goto(url)
    page.wait_for_selector("#photos input[type=file]", state="attached")
    yield page
    context.close()
    assert page.problems == []
    assert page.outside == []


def upload(page: Page, files) -> None:
    page.set_input_files("#photos input[type=file]", files)


def captions(page: Page, count: int) -> list[str]:
    expect(page.locator("#player .card:not(.wait)")).to_have_count(count, timeout=60_000)
    expect(page.locator("#player .card.wait")).to_have_count(0)
    return page.locator("#player .card p").all_inner_texts()


def canvas(page: Page) -> np.ndarray:
    """The veil's opacity as it is on the screen: (height, width)."""
    data = page.locator("#player canvas").evaluate("canvas => canvas.toDataURL('image/png')")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))))[..., 3].astype(int)


def test_twelve_photos_twelve_captions(page, captioner):
    upload(page, TWELVE)
    expect(page.locator("#player .card.wait").first).to_be_visible()  # placeholders at once
    read = captions(page, 12)
    assert read == [caption.text for photo in TWELVE for caption in captioner([photo])]
    expect(page.locator("#player [role=status]")).to_contain_text("12 of 12")


def test_example_photos_are_one_click_away(page):
    page.locator("#examples").click()
    assert len(set(captions(page, 12))) > 6


def test_a_word_shows_its_map(page, captioner):
    upload(page, [PHOTOS / "surfer-on-big-wave.jpg"])
    captions(page, 1)
    expected = captioner([PHOTOS / "surfer-on-big-wave.jpg"])[0]
    words = page.locator("#player .words button")
    assert words.all_inner_texts() == [word.text for word in expected.words]
    seen = []
    for index in (1, 2):
        words.nth(index).click()
        expect(words.nth(index)).to_have_attribute("aria-pressed", "true")
        seen.append(canvas(page))
        top, left = np.unravel_index(seen[-1].argmin(), seen[-1].shape)  # the clearest point
        cell = int(top * 8 / seen[-1].shape[0]), int(left * 8 / seen[-1].shape[1])
        assert expected.words[index].weights[cell] >= 0.8 * expected.words[index].weights.max()
    assert np.abs(seen[0] - seen[1]).max() > 5


def test_a_photo_keeps_its_shape(page):
    upload(page, [PHOTOS / "beach-skyline-panorama.jpg"])
    captions(page, 1)
    box = page.locator("#player canvas").bounding_box()
    with Image.open(PHOTOS / "beach-skyline-panorama.jpg") as photo:
        assert box["width"] / box["height"] == pytest.approx(photo.width / photo.height, rel=0.02)
    assert page.locator("#player .frame img").bounding_box() == pytest.approx(box, abs=0.5)


def test_bad_photos_say_why_and_photos_can_be_added(page, tmp_path):
    hostile = tmp_path / "<img src=x onerror=alert(1)>${alert(2)}.jpg"
    hostile.write_text("Dear reader")
    upload(page, [TWELVE[0], hostile])
    assert "not a photo" in captions(page, 2)[1]
    upload(page, [TWELVE[1]])
    assert len(captions(page, 3)) == 3


def test_arrow_keys_move_along_the_words(page):
    upload(page, [TWELVE[3]])
    captions(page, 1)
    words = page.locator("#player .words button")
    words.first.focus()
    page.keyboard.press("ArrowRight")
    expect(words.nth(1)).to_be_focused()
    page.keyboard.press("End")
    expect(words.last).to_have_attribute("aria-pressed", "true")


def test_clearing_empties_the_page(page):
    upload(page, TWELVE[:2])
    captions(page, 2)
    page.locator("#photos [aria-label=Clear]").click()
    expect(page.locator("#player .card")).to_have_count(0)
    expect(page.locator("#player .player")).to_be_hidden()
