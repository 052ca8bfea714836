"""Files to take home hold what the captions say, and nothing that a name could smuggle in."""

import csv
import io
import json
import zipfile
from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image
from support.captions import UNIFORM, make_caption, peaked
from support.web import canvas, open_page

from capmodel.caption import CaptionedPhoto, Evidence
from capmodel.output.animation import VIDEO_SIDE, save_gif, save_mp4
from capmodel.output.export import KINDS, export

HOSTILE = "../../etc/</script><script>alert(1)</script>${x}.jpg"


def make_captioned_photo(name: str = "x.jpg", shape=(120, 160, 3)) -> CaptionedPhoto:
    photo = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return CaptionedPhoto(name, photo, [make_caption(peaked(1, 1), UNIFORM, peaked(6, 7)), make_caption(UNIFORM)])


def test_the_table_holds_the_numbers(tmp_path):
    export([make_captioned_photo("=SUM(A1).jpg"), make_captioned_photo("é.jpg")], "csv", tmp_path / "x.csv")
    lines = list(csv.DictReader((tmp_path / "x.csv").open(encoding="utf-8-sig")))
    assert [line["photo"] for line in lines] == ["'=SUM(A1).jpg"] * 3 + ["é.jpg"] * 3
    last = lines[2]
    assert (last["position"], last["word"], last["row"], last["column"]) == ("3", "word2", "7", "8")
    assert float(last["peak"]) == pytest.approx(32)


def test_json_holds_all_captions(tmp_path):
    photo = make_captioned_photo()
    export([photo], "json", tmp_path / "x.json")
    [told] = json.loads((tmp_path / "x.json").read_text())
    assert told["words"] == photo.captions[0].as_dict()["words"]
    assert [each["caption"] for each in told["candidates"]] == ["word0"]


def test_the_zip_holds_everything_under_plain_names(tmp_path):
    told = []
    export(
        iter([make_captioned_photo(HOSTILE), make_captioned_photo("a.jpg"), make_captioned_photo("a.jpg")]),
        "zip",
        tmp_path / "x.zip",
        told.append,
    )
    assert told == [1, 2, 3]
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        names = archive.namelist()
        assert len(set(names)) == len(names) == 3 * 3 + 3
        assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-/.") and ".." not in name for name in names)
        assert "002-a/sheet.png" in names
        page = archive.read("photos.html").decode()
    assert "<script>alert(1)" not in page
    assert "http://" not in page
    assert "https://" not in page


def test_the_zip_holds_evidence_where_captions_have_it(tmp_path):
    photo = make_captioned_photo()
    nats = np.random.default_rng(0).normal(size=(3, 8, 8)).astype(np.float32)
    told = replace(photo.captions[0], evidence=Evidence(nats, np.float32([0.5, 1.0, 0.2]), "grid"))
    export([replace(photo, captions=[told]), photo], "zip", tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        first, second = json.loads(archive.read("captions.json"))
        assert [word["kept"] for word in first["words"]] == pytest.approx([0.5, 1.0, 0.2])
        assert "kept" not in second["words"][0]
        assert archive.read("photos.html").count(b'"evidence": {') == 1
        heights = [Image.open(io.BytesIO(archive.read(name))).height for name in archive.namelist() if "sheet" in name]
    assert heights[0] > 1.5 * heights[1]  # a second row


@pytest.mark.parametrize("shape", [(300, 901, 3), (901, 300, 3), (121, 163, 3)])
def test_the_video_is_what_slides_and_browsers_play(tmp_path, shape):
    photo = make_captioned_photo(shape=shape)
    save_mp4(photo.pixels, photo.captions[0], tmp_path / "x.mp4")
    with av.open(str(tmp_path / "x.mp4")) as video:
        stream = video.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.width % 2 == stream.height % 2 == 0
        assert stream.width == shape[1] // 2 * 2
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in video.decode(video=0)]
    assert len(frames) / 25 == pytest.approx(3 * 1.03, abs=0.2)
    assert np.abs(frames[20] - frames[-1])[: shape[0] // 2 * 2].mean() > 2
    data = (tmp_path / "x.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # plays while it is loaded


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (3000, 1), (1, 3000), (20, 20), (30_000, 1)], ids=str)
def test_a_photo_of_any_shape_can_be_saved(tmp_path, kind, shape):
    photo = make_captioned_photo(shape=(*shape, 3))
    path = tmp_path / f"x.{kind}"
    export([photo], kind, path)
    if kind in ("png", "gif"):
        with Image.open(path) as picture:
            assert min(picture.size) >= 40
            assert max(picture.size) < 3000
    elif kind == "mp4":
        with av.open(str(path)) as video:
            *_, last = video.decode(video=0)
        below = last.to_ndarray(format="rgb24")[min(shape[0], VIDEO_SIDE) :].astype(int)
        assert ((below[..., 0] > 150) & (below[..., 2] < 140)).any()  # the current word, in yellow
    else:
        assert path.stat().st_size > 100


def test_even_noise_makes_a_video_under_3_mb(tmp_path):
    photo = make_captioned_photo(shape=(3000, 4000, 3))
    caption = make_caption(*(peaked(row, 7 - row) for row in range(8)), *[UNIFORM] * 4)
    save_mp4(photo.pixels, caption, tmp_path / "x.mp4")
    assert (tmp_path / "x.mp4").stat().st_size < 3_000_000


def test_the_gif_is_played_at_the_same_pace(tmp_path):
    from PIL import Image

    photo = make_captioned_photo()
    save_gif(photo.pixels, photo.captions[0], tmp_path / "x.gif")
    with Image.open(tmp_path / "x.gif") as film:
        total = 0
        for frame in range(film.n_frames):
            film.seek(frame)
            total += film.info["duration"]
    assert total / 1000 == pytest.approx(3 * 0.96, abs=0.3)


def test_the_page_plays_from_a_file(browser, tmp_path):
    export([make_captioned_photo(HOSTILE), make_captioned_photo("tall.jpg", (200, 90, 3))], "html", tmp_path / "x.html")
    with open_page(browser, (tmp_path / "x.html").as_uri(), reduced_motion="reduce") as page:
        assert page.locator(".card").count() == 2
        page.wait_for_function("document.querySelector('.frame img').naturalWidth > 0")
        words = page.locator(".words button")
        seen = []
        for index in range(3):
            words.nth(index).click()
            seen.append(canvas(page))
        assert min(np.abs(seen[0] - seen[1]).max(), np.abs(seen[1] - seen[2]).max()) > 20
        page.locator(".card .pick").nth(1).click()
        page.wait_for_function("document.querySelector('.frame img').naturalWidth === 90")


def test_kinds_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match="html"):
        export([make_captioned_photo()], "docx", tmp_path / "x")
    with pytest.raises(ValueError, match="one photo"):
        export([make_captioned_photo()] * 2, "mp4", tmp_path / "x")
    assert set(KINDS) == {"png", "gif", "mp4", "json", "csv", "html", "zip"}
