"""Files to take home, as the page hands them out."""

import asyncio
import csv
import io
import json
import threading
import time
import zipfile

import av
import pytest
from PIL import Image
from playwright.sync_api import expect
from support.captions import assert_same
from support.samples import PHOTOS
from support.servers.here import serve_here
from support.web import captions, open_page, upload

from capmodel.serving import protocol
from capmodel.serving.limits import Limits
from capmodel.serving.service import CaptionService
from capmodel.serving.storage.store import PhotoStore

SURFER, DOG = PHOTOS / "surfer-standing-on-beach.jpg", PHOTOS / "two-dogs-playing-on-grass.jpg"


def save(page, kind: str):
    with page.expect_download(timeout=60_000) as download:
        page.locator(f".save-{kind}").click()
    return download.value.path()


def test_every_kind_of_file(page, captioner, tmp_path):
    upload(page, [SURFER, DOG])
    captions(page, 2)
    page.locator(".card .pick").first.click()
    page.locator(".tools button", has_text="Save").click()
    both = [captioner([photo])[0] for photo in (SURFER, DOG)]
    [told] = json.loads(save(page, "json").read_text())
    assert told.pop("photo") == SURFER.name
    assert len(told.pop("candidates")) == 2
    assert_same(told, both[0].as_dict())
    lines = list(csv.DictReader(save(page, "csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [line["word"] for line in lines] == [word.text for word in both[0].words]
    with Image.open(save(page, "png")) as sheet:
        assert sheet.width > 600
    with Image.open(save(page, "gif")) as film:
        assert film.n_frames > 10
    with av.open(str(save(page, "mp4"))) as video:
        assert video.streams.video[0].codec_context.name == "h264"
    with zipfile.ZipFile(io.BytesIO(save(page, "zip").read_bytes())) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len([name for name in names if name.endswith("attention.mp4")]) == 2
        assert [each["caption"] for each in json.loads(archive.read("captions.json"))] == [one.text for one in both]
        assert "two-dogs-playing-on-grass" in " ".join(names)


def test_the_saved_page_plays_without_a_server(page, browser, captioner, tmp_path):
    upload(page, [SURFER, DOG])
    captions(page, 2)
    page.locator(".tools button", has_text="Save").click()
    offline = tmp_path / "photos.html"
    offline.write_bytes(save(page, "html").read_bytes())
    with open_page(browser, offline.as_uri()) as alone:
        assert captions(alone, 2) == [captioner([photo])[0].text for photo in (SURFER, DOG)]
        expect(alone.locator(".intake")).to_be_hidden()
        alone.locator(".card .pick").nth(1).click()
        assert " ".join(alone.locator(".words button").all_inner_texts()) == captioner([DOG])[0].text


def test_a_steered_caption_is_saved_as_it_is_shown(page):
    upload(page, SURFER)
    captions(page, 1)
    page.locator(".tools button", has_text="Other words").click()
    page.locator(".words button").nth(1).click()
    page.locator(".chips button.chip").first.click()
    expect(page.locator(".undo")).to_be_visible()
    shown = " ".join(page.locator(".words button").all_inner_texts())
    page.locator(".tools button", has_text="Save").click()
    assert json.loads(save(page, "json").read_text())[0]["caption"] == shown


def test_a_photo_that_left_the_server_is_brought_again(browser, captioner):
    with (
        serve_here([captioner], limits=Limits(retention_seconds=2)) as address,
        open_page(browser, address, reduced_motion="reduce") as page,
    ):
        upload(page, SURFER)
        captions(page, 1)
        page.wait_for_timeout(3500)
        page.locator(".tools button", has_text="Other words").click()
        page.locator(".words button").nth(1).click()
        page.locator(".chips button.chip").first.click()
        expect(page.locator(".undo")).to_be_visible(timeout=10_000)


@pytest.mark.parametrize("held", [True, False])
def test_a_photo_whose_time_is_over_while_its_file_is_made(browser, captioner, monkeypatch, caplog, held):
    """It stays until then; if it leaves all the same, since the store is full, the page brings it again."""
    if not held:
        monkeypatch.setattr(PhotoStore, "hold", lambda *given, **more: None)
    starts, real = [], protocol.export

    def late(photos, *rest):
        starts.append(time.monotonic())
        if len(starts) == 1:
            time.sleep(10)  # there are many files to be made before
        real(photos, *rest)

    monkeypatch.setattr(protocol, "export", late)
    with (
        serve_here([captioner], limits=Limits(retention_seconds=8)) as address,
        open_page(browser, address, reduced_motion="reduce") as page,
    ):
        upload(page, SURFER)
        captions(page, 1)
        page.locator(".tools button", has_text="Save").click()
        assert json.loads(save(page, "json").read_text())[0]["photo"] == SURFER.name
    assert len(starts) == (1 if held else 2)
    assert "Traceback" not in caplog.text


def test_what_is_said_of_a_file_stays_when_its_photo_gets_another_caption(browser, captioners, monkeypatch):
    real = CaptionService.caption

    is_saved, wait = threading.Event(), threading.Event()

    async def late(service, photo, kind):
        while wait.is_set() and not is_saved.is_set():
            await asyncio.sleep(0.05)
        return await real(service, photo, kind)

    monkeypatch.setattr(CaptionService, "caption", late)
    with serve_here(captioners) as address, open_page(browser, address, reduced_motion="reduce") as page:
        upload(page, [SURFER, DOG])
        captions(page, 2)
        page.locator(".card .pick").first.click()
        page.locator(".tools button", has_text="Ways").click()
        expect(page.locator(".way")).to_have_count(3, timeout=15_000)
        wait.set()
        page.locator(".choose-attention button", has_text="hard").click()  # the other photo's comes later
        page.locator(".card .pick").nth(1).click()
        page.locator(".tools button", has_text="Save").click()
        save(page, "json")
        expect(page.locator(".panel .file")).to_be_visible()
        is_saved.set()
        expect(page.locator(".live")).to_have_text("Captions are now written with hard attention.", timeout=15_000)
        expect(page.locator(".panel .file")).to_be_visible()


@pytest.mark.parametrize("photos", [PHOTOS / "beach-skyline-panorama.jpg", PHOTOS / "dog-jumping-over-rocks.jpg"])
def test_videos_stay_small(captioner, photos, tmp_path):
    from capmodel.output.animation import save_mp4
    from capmodel.photos import load_photo

    save_mp4(load_photo(photos), captioner([photos])[0], tmp_path / "x.mp4")
    assert (tmp_path / "x.mp4").stat().st_size < 3_000_000
