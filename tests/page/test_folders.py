"""Folders come into the page, dropped or chosen, and photos whose names do not say that they are photos."""

import io
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from support.samples import PHOTOS
from support.servers.here import serve_here
from support.web import captions, open_page, upload

from capmodel.photos import FORMATS
from capmodel.photos.folders import (
    OTHER_SUFFIXES,
    PHOTO_SUFFIXES,
    begins_like_photo,
    is_system_folder,
    page_rules,
    read_folder,
    suffix_of,
)
from capmodel.serving.limits import Limits

NAMES = ["dachshund-in-snow.jpg", "soccer-players.jpg", "surfer-on-big-wave.jpg", "two-dogs-playing-on-grass.jpg"]


@pytest.fixture
def holiday(tmp_path):
    """A folder as people have it: six photos, three of which do not say so, and much else."""
    folder = tmp_path / "holiday"
    dachshund, soccer, surfer, dogs = ((PHOTOS / name).read_bytes() for name in NAMES)
    files = {
        "IMG_0001": dachshund,
        "dogs.MPO": dogs,
        "summer/deep/surfer.jpg": surfer,
        "summer/photo.jpg (1)": soccer,
        "phone.HIF": heic(PHOTOS / "cat-face-close-up.jpg"),
        "jockey.jfif": (PHOTOS / "jockey-on-galloping-horse.jpg").read_bytes(),
        "notes.txt": b"Dear diary",
        "film.mp4": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(1000),
        "film": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(1000),
        "._dogs.jpg": dogs,
        ".DS_Store": b"x",
        ".thumbnails/a.jpg": dogs,
        "__MACOSX/summer/._surfer.jpg": b"x",
        "@eaDir/dogs.jpg/SYNOPHOTO_THUMB_XL.jpg": dogs,
        "summer/@eaDir/a.jpg": dogs,
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def heic(photo: Path) -> bytes:
    file = io.BytesIO()
    with Image.open(photo) as image:
        pillow_heif.from_pillow(image).save(file)
    return file.getvalue()


def drop(page: Page, *paths: Path) -> None:
    """As a person does: the browser itself reads the files."""
    mouse = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        mouse.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 200, "data": data})


def order(page: Page) -> list[str]:
    """The photos of the cards, by what their buttons to remove them are called."""
    labels = page.locator(".card .remove").evaluate_all("all => all.map(button => button.ariaLabel)")
    return [label.removeprefix("Remove ") for label in labels]


def test_a_folder_is_dropped(page, holiday, captioner):
    drop(page, holiday)
    said = captions(page, 6)
    photos, others, _ = read_folder(holiday)
    assert order(page) == [photo.name for photo in photos]
    assert said == [captioner([photo])[0].text for photo in photos]
    expect(page.locator(".card img")).to_have_count(6)
    expect(page.locator(".note")).to_have_text("3 other files left out.")
    assert others == 3
    expect(page.locator(".count")).to_have_text("6 photos")


def test_a_folder_is_chosen(page, holiday):
    page.set_input_files(".root .folder", holiday)
    captions(page, 6)
    assert order(page) == [photo.name for photo in read_folder(holiday).photos]
    expect(page.locator(".note")).to_have_text("3 other files left out.")
    page.locator(".clear").click()
    expect(page.locator(".note")).to_be_hidden()


def test_the_button_opens_a_chooser_of_folders(page):
    with page.expect_file_chooser() as chooser:
        page.locator(".choose-folder").press("Enter")
    assert chooser.value.element.evaluate("input => input.webkitdirectory")


def test_folders_and_files_are_dropped_together(page, holiday, tmp_path):
    (tmp_path / "more" / "deeper").mkdir(parents=True)
    single, other = tmp_path / "single", tmp_path / "more" / "deeper" / "other.jpg"
    single.write_bytes((PHOTOS / "penguin-on-snow.jpg").read_bytes())
    other.write_bytes((PHOTOS / "fox-statue-in-garden.jpg").read_bytes())
    text = tmp_path / "letter.txt"
    text.write_text("Dear reader")
    drop(page, holiday, single, text, tmp_path / "more")
    said = captions(page, 9)
    assert order(page) == ["single", "letter.txt", *(photo.name for photo in read_folder(holiday).photos), "other.jpg"]
    assert said[1] == "letter.txt: This file is not a photo."
    expect(page.locator(".note")).to_have_text("3 other files left out.")


def test_a_folder_of_many_photos(page, tmp_path):
    """Browsers hand a folder over a hundred files at a time."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(230):
        color = tuple(np.random.default_rng(number).integers(0, 256, 3).tolist())
        Image.new("RGB", (24, 24), color).save(folder / f"{number:03}.png")
    drop(page, folder)
    expect(page.locator(".card")).to_have_count(230)
    assert order(page) == [f"{number:03}.png" for number in range(230)]
    expect(page.locator(".note")).to_be_hidden()
    page.locator(".clear").click()


def test_a_folder_without_photos(page, tmp_path):
    folder = tmp_path / "papers <b>"
    folder.mkdir()
    drop(page, folder)
    expect(page.locator(".note")).to_have_text("There are no photos in \u201cpapers <b>\u201d.")
    (folder / "notes.txt").write_text("x")
    (folder / "loop").symlink_to(folder)
    drop(page, folder)
    expect(page.locator(".note")).to_have_text("There are no photos in \u201cpapers <b>\u201d. 1 other file left out.")
    expect(page.locator(".card")).to_have_count(0)


def test_photos_of_any_name_are_picked(page, tmp_path, captioner):
    """What their names do not say, their contents do; what is no photo is not even sent."""
    photo = (PHOTOS / NAMES[0]).read_bytes()
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(1000))
    names = ["IMG_0001", "a.jfif", "b.MPO", "copy.jpg (1)", "c.hif", "cat.jpg?w=800", "wrong.txt", "x.pjpeg"]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(photo + bytes([number]))  # else they would be one photo
    sent = []
    page.on("request", lambda request: "/photo?" in request.url and sent.append(request.url))
    upload(page, [tmp_path / "film.mp4", *(tmp_path / name for name in names)])
    assert captions(page, 9) == ["film.mp4: This file is not a photo."] + [captioner([tmp_path / "a.jfif"])[0].text] * 8
    assert len(sent) == 8
    assert page.locator(".root .files").get_attribute("accept") is None  # else some could not be chosen


def test_a_phone_shows_its_gallery(browser, address):
    with open_page(browser, address, has_touch=True, is_mobile=True) as page:
        assert "image/*" in page.locator(".root .files").get_attribute("accept")
        expect(page.locator(".choose-folder")).to_be_hidden()


def test_the_page_holds_so_many_photos(tiny_captioner, browser, holiday):
    with serve_here([tiny_captioner], limits=Limits(photos=4)) as address, open_page(browser, address) as page:
        drop(page, holiday)
        captions(page, 4)
        expect(page.locator(".note")).to_have_text(
            "3 other files left out. This page holds 4 photos, so 2 were left out; remove some to make room."
        )
        page.locator(".card .remove").first.click()
        upload(page, [PHOTOS / name for name in NAMES])
        captions(page, 4)
        expect(page.locator(".note")).to_have_text(
            "This page holds 4 photos, so 3 were left out; remove some to make room."
        )


def test_python_and_the_page_have_the_same_rules(page):
    names = [f"a{suffix}{more}" for suffix in sorted(PHOTO_SUFFIXES | OTHER_SUFFIXES) for more in ("", " (1)", "x")]
    names += ["", "a", ".jpg", "a.", "a.b.JPG", "x.Jpg ", "É.JPG", "a\n.jpg", "a.jpg?w=1", "..jpg"]
    folders = [
        (parent, name)
        for parent in ("a", ".b", "@eaDir", "X.photoslibrary", "x.PhotoLibrary", "my.photos", "")
        for name in (
            *("@eaDir", "@EADIR", ".x", "__MACOSX", "#recycle", "$RECYCLE.BIN", "RECYCLER", "recycled", "lost+found", "lost"),
            *("System Volume Information", "found.000", "found.", "originals", "Masters", "resources", "a\nb", "a.lrdata"),
            *("originals2", "CaptureOne", "Capture One", ".", "x@eaDir", "@eaDir2", ".a\nb", "@tmp", "@Recycle"),
        )
    ]  # fmt: skip
    random = np.random.default_rng(3)
    starts = [random.bytes(40) for _ in range(500)]
    for kind in FORMATS:
        file = io.BytesIO()
        Image.new("RGB", (30, 20)).save(file, kind)
        whole = file.getvalue()
        starts += [whole[:length] for length in (0, 1, 2, 3, 4, 8, 12, 18, 4096)] + [b" " + whole]
        for place in range(16):  # a byte of each signature is another one
            starts.append(whole[:place] + bytes([whole[place] ^ 0x20]) + whole[place + 1 : 100])
    starts += [b"RIFF\n\r\n\xffWEBP", b"P6\n# \xa0\n2 2\n", b"P6\xa02 2", b"P6\x0b2 2", b"P6 # 1\n2\t2"]
    [script] = page.evaluate("[...document.querySelectorAll('link[rel=modulepreload]')].map(link => link.href)"
                             ".filter(url => url.endsWith('core/photo_files.js'))")  # fmt: skip
    told = page.evaluate(
        """async ([script, rules, names, folders, starts]) => {
            const { PhotoFiles, suffixOf } = await import(script);
            const files = new PhotoFiles(rules);
            const begins = starts.map(bytes => files.beginsLikePhoto(new Blob([Uint8Array.from(bytes)])));
            return [names.map(suffixOf), names.map(name => files.judge(name)),
                    folders.map(([parent, name]) => files.isSystemFolder(parent, name)), await Promise.all(begins)];
        }""",
        [script, page_rules(), names, folders, [list(start) for start in starts]],
    )
    suffixes = [suffix_of(name) for name in names]
    assert told[0] == suffixes
    assert told[1] == [suffix in PHOTO_SUFFIXES or (False if suffix in OTHER_SUFFIXES else None) for suffix in suffixes]
    assert told[2] == [is_system_folder(*folder) for folder in folders]
    assert told[3] == [begins_like_photo(start) for start in starts]
    assert 0 < sum(told[2]) < len(folders)
    assert len(FORMATS) < sum(told[3]) < len(starts) / 2
