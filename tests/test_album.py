"""Photos of many visitors: captioned once, kept for a while, never mixed up."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import PHOTOS

from capmodel import PhotoError, album
from capmodel.album import Album, PhotoGone
from capmodel.alternatives import END_WORD

FIVE = sorted(PHOTOS.glob("*.jpg"))[:5]


def test_captions_are_those_of_the_captioner(captioner):
    photos = Album(captioner)
    keys = [photos.add(photo) for photo in FIVE]
    with ThreadPoolExecutor(8) as pool:  # at once, so in batches
        found = list(pool.map(photos.captions, keys))
    assert [captions[0].text for captions in found] == [caption.text for caption in captioner(FIVE)]
    assert [len({caption.text for caption in captions}) for captions in found] == [3] * 5


def test_the_same_content_is_captioned_once(tiny_captioner, tmp_path, monkeypatch):
    seen = []
    real = tiny_captioner.encode
    monkeypatch.setattr(tiny_captioner, "encode", lambda squares: seen.extend(squares) or real(squares))
    photos = Album(tiny_captioner)
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(FIVE[0].read_bytes())
    keys = {photos.add(FIVE[0]), photos.add(copy, move=True)}
    assert len(keys) == 1
    assert not copy.exists()
    assert FIVE[0].exists()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(photos.captions, list(keys) * 8))
    assert len(seen) == 1
    assert len({id(captions) for captions in found}) == 1


def test_photos_leave_in_time(tiny_captioner):
    photos = Album(tiny_captioner, kept_seconds=0.5)
    key = photos.add(FIVE[0])
    photos.captions(key)
    deadline = time.monotonic() + 5
    while photos.files():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(PhotoGone):
        photos.captions(key)


def test_the_oldest_leave_when_it_is_full(tiny_captioner, monkeypatch):
    monkeypatch.setattr(album, "CAPACITY", 3)
    photos = Album(tiny_captioner)
    keys = [photos.add(photo) for photo in FIVE]
    assert len(photos.files()) == 3
    with pytest.raises(PhotoGone):
        photos.captions(keys[0])
    assert photos.captions(keys[-1])


def test_a_bad_photo_stays_bad(tiny_captioner, tmp_path):
    photos = Album(tiny_captioner)
    (tmp_path / "letter.jpg").write_text("Dear reader")
    key = photos.add(tmp_path / "letter.jpg")
    for _ in range(2):
        with pytest.raises(PhotoError, match="not a photo"):
            photos.captions(key)


def test_steering(captioner):
    photos = Album(captioner)
    key = photos.add(FIVE[1])
    steered = photos.steer(key, ["two", "dogs"])
    assert steered.text.startswith("two dogs ")
    assert photos.steer(key, ["two", "dogs", END_WORD]).text == "two dogs"
    exhibit = photos.exhibit(key, "x.jpg", ["two", "dogs"])
    assert exhibit.captions[0].text == "two dogs"
    assert len(exhibit.captions) == 4
    assert max(exhibit.photo.shape) <= 1280
