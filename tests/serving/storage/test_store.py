"""Visitors' photos on disk: streamed in, bounded, and gone in time."""

import asyncio
import io
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.asynchronous import result_of
from support.samples import PHOTOS

from capmodel import PhotoError
from capmodel.photos import load_photo, may_be_photo
from capmodel.serving.errors import PhotoGone, Refused
from capmodel.serving.limits import Limits
from capmodel.serving.storage.store import PhotoStore

FIVE = sorted(PHOTOS.glob("*.jpg"))[:5]
SIZES = [photo.stat().st_size for photo in FIVE]


@pytest.fixture
def make_store(server):
    """Makes stores with limits, which are closed in the end."""
    made = []

    def make(**limits) -> PhotoStore:
        made.append(PhotoStore(server, Limits(**limits)))
        return made[-1]

    yield make
    for store in made:
        store.close()


def receive(store: PhotoStore, data: bytes, piece: int = 1000, length: int | None = None) -> tuple[str | None, int]:
    """Sends data in pieces; returns the photo, and how many bytes were read."""
    read = 0

    async def stream():
        nonlocal read
        for start in range(0, len(data), piece):
            read += len(data[start : start + piece])
            yield data[start : start + piece]

    async def go():
        return await store.receive(stream(), length)

    try:
        return result_of(go()), read
    except (PhotoError, Refused) as error:
        error.read = read
        raise


def test_a_photo_arrives_in_pieces_and_is_stored_once(make_store):
    store, data = make_store(), FIVE[0].read_bytes()
    names = {receive(store, data, piece)[0] for piece in (100, 7000, 1_000_000)} | {store.add_file(FIVE[0])}
    assert len(names) == 1
    [file] = store.files()
    assert file.read_bytes() == store.read(names.pop()) == data
    assert file.stat().st_mode & 0o077 == file.parent.stat().st_mode & 0o077 == 0  # nobody else may read it


@pytest.mark.parametrize("length", [None, 50_000_000])
def test_what_is_no_photo_is_refused_at_its_first_bytes(make_store, length):
    store = make_store()
    for data in (bytes(50_000_000), b"Dear reader, " * 4_000_000, b"%PDF-1.7" + bytes(50_000_000)):
        with pytest.raises(PhotoError, match="not a photo") as refused:
            receive(store, data, 2000, length)
        assert refused.value.read < 10_000
    with pytest.raises(PhotoError, match="not a photo"):
        receive(store, b"x")
    with pytest.raises(PhotoError, match="empty"):
        receive(store, b"")
    assert store.files() == []


def test_nothing_that_can_be_read_is_refused_at_its_first_bytes(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    tried = 0
    Image.init()
    for kind in sorted(Image.SAVE):
        file = io.BytesIO()
        for image in (
            Image.fromarray(pixels),
            Image.fromarray(pixels).convert("L"),
            Image.fromarray(pixels[..., 0] > 99),
        ):
            file = io.BytesIO()
            try:
                image.save(file, kind)
                load_photo(file.getvalue())
            except Exception:  # not this kind of pixels, or none that Pillow reads again
                continue
            assert may_be_photo(file.getvalue()[:4096]), kind
            tried += 1
    assert tried > 20
    for photo in PHOTOS.glob("*.jpg"):
        assert may_be_photo(photo.read_bytes()[:4096])


def test_a_heic_photo_is_taken(make_store):
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), "red")).save(file)
    assert receive(make_store(), file.getvalue())[0]


def test_a_photo_that_is_too_large_is_refused(make_store):
    store = make_store(photo_bytes=20_000)
    data = FIVE[0].read_bytes()
    with pytest.raises(PhotoError, match=r"larger than 0\.02 MB") as refused:
        receive(store, data)
    assert refused.value.read < 25_000
    with pytest.raises(PhotoError, match="larger") as refused:
        receive(store, data, length=len(data))
    assert refused.value.read == 0  # it was said before
    with pytest.raises(PhotoError, match="larger"):
        store.add_file(FIVE[0])
    assert store.files() == []


def test_only_so_many_bytes_are_on_their_way(make_store):
    store = make_store(incoming_bytes=100_000)
    data = FIVE[0].read_bytes()

    async def go():
        gate = asyncio.Event()

        async def slow():
            yield data[:90_000]
            await gate.wait()
            yield data[90_000:]

        async def quick():
            yield data[:60_000]

        first = asyncio.create_task(store.receive(slow()))
        await asyncio.sleep(0.2)
        with pytest.raises(Refused, match="on their way"):
            await store.receive(quick())
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        return await store.receive(quick())

    assert result_of(go())
    assert len(store.files()) == 1  # nothing of the one that was broken off
    assert store._incoming == 0


def test_an_upload_that_stalls_gives_its_room_back(make_store):
    store = make_store(upload_seconds=0.3)

    async def stalled():
        yield FIVE[0].read_bytes()[:50_000]
        await asyncio.sleep(30)

    with pytest.raises(Refused, match="too long"):
        result_of(store.receive(stalled()))
    assert store.files() == []
    assert store._incoming == 0


def test_the_least_recently_used_leave_when_it_is_full(make_store):
    left = []
    store = make_store(photos=3)
    store.on_leave = left.append
    first, second, third = (store.add_file(photo) for photo in FIVE[:3])
    store.read(second)
    store.add_file(FIVE[0])  # somebody brought it again, a moment ago
    store.add_file(FIVE[3])
    assert left == [third]
    store.check(second)
    store.add_file(FIVE[4])
    assert left == [third, first]
    assert store.read(second)
    with pytest.raises(PhotoGone):
        store.check(first)


def test_it_is_full_by_bytes_too(make_store):
    store = make_store(stored_bytes=sum(SIZES[:3]))
    photos = [store.add_file(photo) for photo in FIVE[:3]]
    photos.append(store.add_file(FIVE[3]))
    assert sum(file.stat().st_size for file in store.files()) <= sum(SIZES[:3])
    assert store.read(photos[3])
    with pytest.raises(PhotoGone):
        store.read(photos[0])


def test_photos_that_are_held_are_not_driven_out(make_store):
    store = make_store(photos=2)
    held = [store.add_file(photo) for photo in FIVE[:2]]
    store.hold(held)
    store.hold(held[:1])
    with pytest.raises(Refused, match="no room"):
        store.add_file(FIVE[2])
    store.release(held)
    third = store.add_file(FIVE[2])
    assert store.read(held[0])
    assert store.read(third)
    with pytest.raises(PhotoGone):
        store.hold([held[0], held[1]])
    assert store.read(third)
    store.release(held[:1])
    store.add_file(FIVE[3])
    with pytest.raises(PhotoGone):
        store.read(held[0])
    assert len(store.files()) == 2


def outdate(store: PhotoStore) -> None:
    """All photos are older than they may become."""
    store.limits = replace(store.limits, retention_seconds=0)
    store.sweep()


def test_photos_leave_in_time_but_for_those_in_use(make_store):
    store = make_store()
    used, waiting, other = (store.add_file(photo) for photo in FIVE[:3])
    store.hold([used], past_retention=True)
    store.hold([waiting])  # for a file that is not yet in the making
    outdate(store)
    assert store.files() == [store.path(used)]
    assert store.read(used)
    store.release([waiting])
    store.release([used], past_retention=True)
    store.sweep()
    assert not store.files()
    with pytest.raises(PhotoGone):
        store.read(other)
    assert not store._held
    assert not store._kept


def test_one_file_that_cannot_be_deleted_keeps_no_other(make_store, monkeypatch, caplog):
    store = make_store()
    photos = [store.add_file(photo) for photo in FIVE[:3]]
    stuck, real = store.path(photos[0]), Path.unlink

    def unlink(path, **more):
        if path == stuck:
            raise PermissionError(13, "not now")
        real(path, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        outdate(store)
        assert store.files() == [stuck]
    store.sweep()  # tries again
    assert not store.files()
    assert caplog.text.count("could not be deleted") == 1


def test_a_folder_that_others_deleted_is_made_again(make_store, server):
    store = make_store()
    photo = store.add_file(FIVE[0])
    shutil.rmtree(server.path)
    with pytest.raises(PhotoGone):
        store.check(photo)
    assert store.add_file(FIVE[0]) == photo
    assert store.read(photo)
    assert server.path.stat().st_mode & 0o077 == 0
    assert receive(store, FIVE[1].read_bytes())[0]


def test_a_full_disk_leaves_nothing(make_store, monkeypatch):
    store, real = make_store(), io.FileIO.write

    class Full(io.FileIO):
        def write(self, data):
            if self.tell() > 20_000:
                raise OSError(28, "No space left on device")
            return real(self, data[:20_000])

    monkeypatch.setattr("capmodel.serving.storage.upload.os.fdopen", lambda number, *given, **more: Full(number, "wb"))
    with pytest.raises(OSError, match="No space"):
        store.add_file(FIVE[0])
    assert store.files() == []
    assert store._incoming == store._stored == 0
    monkeypatch.undo()
    assert store.read(store.add_file(FIVE[0])) == FIVE[0].read_bytes()


def test_a_hundred_uploads_need_one_thread(make_store):
    store = make_store()
    data = [photo.read_bytes() for photo in FIVE]

    async def go():
        before, most = threading.active_count(), 0

        async def stream(content):
            nonlocal most
            for start in range(0, len(content), 10_000):
                yield content[start : start + 10_000]
                await asyncio.sleep(0)
                most = max(most, threading.active_count() - before)

        await asyncio.gather(*(store.receive(stream(data[n % 5])) for n in range(100)))
        return most

    assert result_of(go()) <= 1
    assert len(store.files()) == 5
