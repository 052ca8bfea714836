"""Photos come into the page: chosen, dropped, pasted, taken, again and again."""

import base64
import io
from pathlib import Path
from threading import Event

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from support.samples import PHOTOS
from support.web import captions, open_page, upload

TWELVE = sorted(PHOTOS.glob("*.jpg"))[:12]

# Hands files to the page as a drop or a paste does.
HAND_OVER = """([kind, files]) => {
    const transfer = new DataTransfer();
    for (const [name, type, text] of files)
        transfer.items.add(new File([Uint8Array.from(atob(text), char => char.charCodeAt(0))], name, { type }));
    const event = kind === 'drop'
        ? new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true })
        : new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true });
    document.querySelector('.root').dispatchEvent(event);
}"""


def noise(count: int, side: int) -> list[dict]:
    """Files that no other test has shown to the server: give each test a side of its own."""
    files = []
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        files.append({"name": f"{number}.png", "mimeType": "image/png", "buffer": file.getvalue()})
    return files


def hand_over(page: Page, kind: str, photos: list[Path]) -> None:
    files = [[photo.name, "image/jpeg", base64.b64encode(photo.read_bytes()).decode()] for photo in photos]
    page.evaluate(HAND_OVER, [kind, files])


def test_twelve_photos_twelve_captions(page, captioner):
    page.evaluate("""() => {   // what a person sees come and go
        window.seen = new Set();
        new MutationObserver(() => window.seen.add(document.querySelector('.count').textContent))
            .observe(document.querySelector('.count'), { childList: true });
    }""")
    upload(page, TWELVE)
    expect(page.locator(".card")).to_have_count(12, timeout=2_000)  # placeholders at once
    assert captions(page, 12) == [caption.text for photo in TWELVE for caption in captioner([photo])]
    assert {f"{done} of 12" for done in range(1, 12)} <= set(page.evaluate("[...window.seen]"))
    expect(page.locator(".count")).to_have_text("12 photos")
    expect(page.locator(".live[role=status]")).to_contain_text("12 of 12")
    expect(page.locator(".card img")).to_have_count(12)


def test_dropped_pasted_and_added_again(page):
    hand_over(page, "drop", TWELVE[:2])
    assert len(captions(page, 2)) == 2
    hand_over(page, "drop", TWELVE[2:4])  # onto a filled list
    hand_over(page, "paste", [TWELVE[4]])
    upload(page, TWELVE[5])
    assert len(captions(page, 6)) == 6


def test_taken_with_the_camera(browser, address):
    with open_page(browser, address, permissions=["camera"]) as page:
        page.locator(".camera").click()
        page.wait_for_function("document.querySelector('.studio video').videoWidth > 0")
        page.locator(".snap").click()
        assert len(captions(page, 1)[0].split()) > 2
        expect(page.locator(".studio")).to_be_hidden()


def test_the_same_photo_twice_is_one_card(page):
    upload(page, TWELVE[0])
    captions(page, 1)
    upload(page, [TWELVE[0], TWELVE[1]])
    assert len(captions(page, 2)) == 2


def test_one_photo_is_removed_or_all(page):
    upload(page, TWELVE[:3])
    first, second, third = captions(page, 3)
    page.locator(".card .remove").nth(1).click()
    expect(page.locator(".card p")).to_have_text([first, third])
    page.locator(".card .remove").first.click()  # the one in the player: the next takes its place
    expect(page.locator(".card[aria-current=true] p")).to_have_text(third)
    assert " ".join(page.locator(".words button").all_inner_texts()) == third
    page.locator(".clear").click()
    expect(page.locator(".card")).to_have_count(0)
    expect(page.locator(".player")).to_be_hidden()
    upload(page, TWELVE[1])
    assert captions(page, 1) == [second]


def test_stop_and_go_on(page, captioner, monkeypatch):
    go_on, real = Event(), captioner.encode
    monkeypatch.setattr(captioner, "encode", lambda squares: go_on.wait(60) and real(squares))
    upload(page, noise(12, side=320))
    page.locator(".stop").click()
    expect(page.locator(".count")).to_have_text("0 of 12, stopped")
    go_on.set()
    expect(page.locator(".count")).to_have_text("1 of 12, stopped")  # what was on its way arrives
    page.wait_for_timeout(1000)
    expect(page.locator(".card.waiting")).to_have_count(11)
    page.locator(".stop").click()
    assert len(captions(page, 12)) == 12


def test_bad_files_say_why_and_the_others_go_on(page, tmp_path):
    hostile = tmp_path / "<img src=x onerror=alert(1)>${alert(2)}{{x}}.jpg"
    hostile.write_text("Dear reader")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(TWELVE[1].read_bytes()[:3000])
    text = tmp_path / "notes.txt"
    text.write_text("no photo")
    upload(page, [TWELVE[0], hostile, cut, text])
    said = captions(page, 4)
    assert hostile.name in said[1]
    assert "not a photo" in said[1]
    assert "damaged" in said[2]
    assert "not a photo" in said[3]
    assert page.locator(".card img").count() == 1


def test_a_format_that_browsers_do_not_show(page, tmp_path):
    photo = tmp_path / "phone.heic"
    with Image.open(TWELVE[3]) as image:
        pillow_heif.from_pillow(image).save(photo)
    upload(page, photo)
    captions(page, 1)
    page.wait_for_function("document.querySelector('.frame img')?.naturalWidth > 600")


def test_a_photo_already_seen_is_not_captioned_again(browser, address, captioner, monkeypatch):
    seen = []
    real = captioner.encode
    monkeypatch.setattr(captioner, "encode", lambda squares: seen.append(len(squares)) or real(squares))
    [photo] = noise(1, side=300)
    for _ in range(2):  # two visitors
        with open_page(browser, address) as page:
            upload(page, photo)
            captions(page, 1)
    assert sum(seen) == 1


def test_nobody_waits_for_anothers_batch(browser, address):
    with open_page(browser, address) as busy, open_page(browser, address) as quick:
        files = noise(25, side=400)
        upload(busy, files[:24])
        upload(quick, files[24:])
        captions(quick, 1)
        assert busy.locator(".card.waiting").count() > 0
        captions(busy, 24)


@pytest.mark.parametrize("name", ["dog-jumping-over-rocks.jpg", "beach-skyline-panorama.jpg"])
def test_a_photo_keeps_its_shape(page, name):
    upload(page, PHOTOS / name)
    captions(page, 1)
    page.wait_for_function("document.querySelector('.frame img').naturalWidth > 0")
    box = page.locator(".player canvas").first.bounding_box()
    with Image.open(PHOTOS / name) as photo:
        assert box["width"] / box["height"] == pytest.approx(photo.width / photo.height, rel=0.02)
    assert page.locator(".frame img").bounding_box() == pytest.approx(box, abs=0.5)
