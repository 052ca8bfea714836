"""Photos of many visitors: captioned once, kept for a while, never mixed up."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.samples import PHOTOS

from capmodel import PhotoError
from capmodel.decoding.alternatives import END_WORD
from capmodel.serving import album
from capmodel.serving.album import Album, PhotoGone

FIVE = sorted(PHOTOS.glob("*.jpg"))[:5]


def test_captions_are_those_of_the_captioner(captioner):
    photos = Album([captioner])
    keys = [photos.add(photo.read_bytes()) for photo in FIVE]
    with ThreadPoolExecutor(8) as pool:  # at once, so in batches
        found = list(pool.map(photos.caption, keys))
    assert [caption.text for caption in found] == [caption.text for caption in captioner(FIVE)]
    candidates = photos.candidates(keys[2])
    assert len({caption.text for caption in candidates}) == 3
    assert candidates[0].text == found[2].text


def test_the_same_content_is_captioned_once(tiny_captioner, monkeypatch):
    seen = []
    real = tiny_captioner.encode
    monkeypatch.setattr(tiny_captioner, "encode", lambda squares: seen.extend(squares) or real(squares))
    photos = Album([tiny_captioner])
    keys = {photos.add(FIVE[0].read_bytes()), photos.add(FIVE[0].read_bytes())}
    assert len(keys) == 1
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(photos.caption, list(keys) * 8))
    assert len(seen) == 1
    assert len({id(caption) for caption in found}) == 1


def test_photos_are_decoded_in_few_threads_however_many_ask(tiny_captioner, monkeypatch):
    """The C library keeps much of what each thread once needed: 40 threads would hold a gigabyte for nothing."""
    threads, real = set(), album.load_photo
    monkeypatch.setattr(
        album, "load_photo", lambda *given, **more: threads.add(threading.get_ident()) or real(*given, **more)
    )
    photos = Album([tiny_captioner])
    askers = [threading.Thread(target=lambda k=k: photos.photo(photos.add(FIVE[k].read_bytes()))) for k in range(5)]
    askers += [threading.Thread(target=lambda k=k: photos.preview(photos.add(FIVE[k].read_bytes()))) for k in range(5)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert 1 <= len(threads) <= album.LOADERS


def test_photos_leave_in_time(tiny_captioner):
    photos = Album([tiny_captioner], retention_seconds=0.5)
    key = photos.add(FIVE[0].read_bytes())
    photos.caption(key)
    deadline = time.monotonic() + 5
    while photos.files():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(PhotoGone):
        photos.caption(key)


def test_photos_that_are_held_stay(tiny_captioner):
    photos = Album([tiny_captioner], retention_seconds=0.2)
    held, other = (photos.add(photo.read_bytes()) for photo in FIVE[:2])
    photos.hold([held])
    photos.hold([held])
    deadline = time.monotonic() + 5
    while len(photos.files()) > 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    photos.release([held])
    time.sleep(0.5)
    assert photos.exhibit(held, "x.jpg").captions
    with pytest.raises(PhotoGone):
        photos.caption(other)
    photos.release([held])
    while photos.files():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_oldest_leave_when_it_is_full(tiny_captioner, monkeypatch):
    monkeypatch.setattr(album, "CAPACITY", 3)
    photos = Album([tiny_captioner])
    keys = [photos.add(photo.read_bytes()) for photo in FIVE]
    assert len(photos.files()) == 3
    with pytest.raises(PhotoGone):
        photos.caption(keys[0])
    assert photos.caption(keys[-1])


def test_a_bad_photo_stays_bad(tiny_captioner):
    photos = Album([tiny_captioner])
    key = photos.add(b"Dear reader")
    for _ in range(2):
        with pytest.raises(PhotoError, match="not a photo"):
            photos.caption(key)


def test_steering(captioner):
    photos = Album([captioner])
    key = photos.add(FIVE[1].read_bytes())
    steered = photos.steer(key, ["two", "dogs"])
    assert steered.text.startswith("two dogs ")
    assert photos.steer(key, ["two", "dogs", END_WORD]).text == "two dogs"
    exhibit = photos.exhibit(key, "x.jpg", ["two", "dogs"])
    assert exhibit.captions[0].text == "two dogs"
    assert len(exhibit.captions) == 4
    assert max(exhibit.photo.shape) <= 1280
    assert photos.preview(key).startswith("data:image/jpeg;base64,")


def test_the_same_photo_with_another_attention(captioners):
    photos = Album(captioners)
    assert photos.attentions == ["softmax", "sparsemax", "hard"]
    key = photos.add(FIVE[0].read_bytes())
    keys = [key, *(photos.under(key, attention) for attention in photos.attentions[1:])]
    assert len(set(keys)) == 3
    assert photos.under(keys[2], "softmax") == key
    assert photos.add(FIVE[0].read_bytes(), "hard") == keys[2]
    with ThreadPoolExecutor(3) as pool:  # in one batch, each with its own decoder
        found = list(pool.map(photos.caption, keys))
    assert [caption.text for caption in found] == [captioner(FIVE[:1])[0].text for captioner in captioners]
    with pytest.raises(ValueError, match="softmax, sparsemax, hard"):
        photos.under(key, "harder")
