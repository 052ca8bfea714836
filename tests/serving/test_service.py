"""Photos of many visitors: captioned once, kept for a while, never mixed up."""

import asyncio
import threading
import time

import numpy as np
import pytest
from support.asynchronous import result_of
from support.samples import PHOTOS

from capmodel import PhotoError
from capmodel.decoding.alternatives import END_WORD
from capmodel.explain.occlusion import occlude_word
from capmodel.serving import service as module
from capmodel.serving.errors import PhotoGone, ServerClosing
from capmodel.serving.limits import Limits
from capmodel.serving.service import CaptionService
from capmodel.serving.storage.store import PhotoStore

FIVE = sorted(PHOTOS.glob("*.jpg"))[:5]
LETTER = b"\xff\xd8\xff Dear reader"  # begins as a JPEG does


@pytest.fixture
def serve(server):
    """Makes services over captioners, which are closed in the end."""
    made = []

    def make(captioners, **limits) -> CaptionService:
        made.append(CaptionService(captioners, PhotoStore(server, Limits(**limits))))
        return made[-1]

    yield make
    for service in made:
        service.close()


def add(service: CaptionService, data: bytes) -> str:
    async def receive() -> str:
        async def stream():
            yield data

        return await service.store.receive(stream())

    return result_of(receive())


async def together(*waiting):
    return await asyncio.gather(*waiting)


def counted(monkeypatch, captioner) -> list[int]:
    """How many photos each pass of the backbone was for."""
    passes, real = [], captioner.encode
    monkeypatch.setattr(
        captioner, "encode", lambda squares: (passes.append(len(squares)) if squares else None) or real(squares)
    )
    return passes


def test_captions_are_those_of_the_captioner(serve, captioner):
    service = serve([captioner])
    photos = [service.store.add_file(photo) for photo in FIVE]
    found = result_of(together(*(service.caption(photo, "softmax") for photo in photos)))  # so in batches
    assert [caption.text for caption in found] == [caption.text for caption in captioner(FIVE)]
    candidates = result_of(service.candidates(photos[2], "softmax"))
    assert len({caption.text for caption in candidates}) == 3
    assert candidates[0].text == found[2].text


def test_the_same_content_is_stored_and_captioned_once(serve, tiny_captioner, monkeypatch):
    passes = counted(monkeypatch, tiny_captioner)
    service = serve([tiny_captioner])
    [photo] = {add(service, FIVE[0].read_bytes()), service.store.add_file(FIVE[0])}
    assert len(service.store.files()) == 1
    found = result_of(together(*(service.caption(photo, "softmax") for _ in range(8))))
    assert passes == [1]
    assert len({id(caption) for caption in found}) == 1


def test_a_hundred_who_wait_need_no_thread(serve, tiny_captioner, monkeypatch):
    """The page is served by 40 threads; and the C library keeps what each thread once needed."""
    gate, real, threads = threading.Event(), module.load_photo, set()

    def load_photo(*given, **more):
        threads.add(threading.get_ident())
        assert gate.wait(30)
        return real(*given, **more)

    monkeypatch.setattr(module, "load_photo", load_photo)
    service = serve([tiny_captioner])
    photos = [service.store.add_file(photo) for photo in FIVE]

    async def ask():
        before = threading.active_count()
        waiting = [asyncio.ensure_future(service.caption(photos[n % 5], "softmax")) for n in range(95)]
        waiting += [asyncio.ensure_future(service.picture(photos[n])) for n in range(5)]
        await asyncio.sleep(0.3)
        assert threading.active_count() - before <= module.LOADERS
        assert not any(each.done() for each in waiting)
        gate.set()
        return await asyncio.gather(*waiting)

    assert len(result_of(ask())) == 100
    assert 1 <= len(threads) <= module.LOADERS


def test_who_leaves_takes_the_caption_from_nobody_else(serve, tiny_captioner):
    service = serve([tiny_captioner])
    photo = service.store.add_file(FIVE[0])

    async def ask():
        first, second = (asyncio.ensure_future(service.caption(photo, "softmax")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert result_of(ask()).words


def test_photos_leave_in_time(serve, tiny_captioner):
    service = serve([tiny_captioner], retention_seconds=0.5)
    photo = service.store.add_file(FIVE[0])
    result_of(service.caption(photo, "softmax"))
    deadline = time.monotonic() + 5
    while service.store.files():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(PhotoGone):
        result_of(service.caption(photo, "softmax"))
    assert not service._known


def test_a_bad_photo_stays_bad_and_its_file_goes(serve, tiny_captioner):
    service = serve([tiny_captioner])
    for _ in range(2):
        photo = add(service, LETTER)
        assert len(service.store.files()) == 1
        for _ in range(2):
            with pytest.raises(PhotoError, match="damaged or of a rare kind"):
                result_of(service.caption(photo, "softmax"))
        assert service.store.files() == []


def test_a_file_that_vanished_is_gone_and_may_come_again(serve, tiny_captioner):
    service = serve([tiny_captioner])
    photo = service.store.add_file(FIVE[0])
    caption = result_of(service.caption(photo, "softmax"))
    service.store.path(photo).unlink()
    for _ in range(2):
        with pytest.raises(PhotoGone):
            result_of(service.picture(photo))
    assert service.store.add_file(FIVE[0]) == photo
    assert result_of(service.caption(photo, "softmax")).text == caption.text
    assert result_of(service.picture(photo)).startswith("data:image/jpeg")


def test_what_failed_for_a_moment_is_tried_again(serve, tiny_captioner, monkeypatch):
    service = serve([tiny_captioner])
    photo = service.store.add_file(FIVE[0])
    with monkeypatch.context() as patch:
        patch.setattr(service.store, "read", lambda photo: (_ for _ in ()).throw(OSError(5, "the disk")))
        with pytest.raises(OSError, match="the disk"):
            result_of(service.caption(photo, "softmax"))
    assert result_of(service.caption(photo, "softmax")).words


def test_steering(serve, captioner):
    service = serve([captioner])
    photo = service.store.add_file(FIVE[1])
    steered = result_of(service.steer(photo, "softmax", ["two", "dogs"]))
    assert steered.text.startswith("two dogs ")
    assert result_of(service.steer(photo, "softmax", ["two", "dogs", END_WORD])).text == "two dogs"
    shown = result_of(service.captioned_photo(photo, "softmax", "x.jpg", ["two", "dogs"]))
    assert shown.captions[0].text == "two dogs"
    assert len(shown.captions) == 4
    assert max(shown.pixels.shape) <= 1280
    assert result_of(service.preview(photo)).startswith("data:image/jpeg;base64,")


def test_the_same_photo_with_other_attentions(serve, captioners):
    service = serve(captioners)
    kinds = service.attention_kinds
    assert kinds == ["softmax", "sparsemax", "hard"]
    photo = service.store.add_file(FIVE[0])
    found = result_of(together(*(service.caption(photo, kind) for kind in kinds)))  # in one batch
    assert [caption.text for caption in found] == [captioner(FIVE[:1])[0].text for captioner in captioners]
    assert len(service.store.files()) == 1
    with pytest.raises(ValueError, match="softmax, sparsemax, hard"):
        result_of(service.caption(photo, "harder"))


def test_a_photo_passes_the_backbone_once(serve, captioners, monkeypatch):
    """All that is asked about it afterwards takes its grid; only what hides cells needs passes, without the whole."""
    passes = counted(monkeypatch, captioners[0])
    others = counted(monkeypatch, captioners[1])
    service = serve(captioners)
    photo = service.store.add_file(FIVE[0])
    words = [word.text for word in result_of(service.caption(photo, "softmax")).words]
    result_of(together(*(service.caption(photo, kind) for kind in service.attention_kinds)))
    candidates = result_of(service.candidates(photo, "hard"))
    steered = result_of(service.steer(photo, "sparsemax", words[:2]))
    assert (passes, others) == ([1], [])
    occluded = result_of(service.occlude(photo, "softmax", words, 1, [3, 4]))
    assert passes == [1, 6]  # the cells, and as many elsewhere, five times
    monkeypatch.undo()

    # And with the same numbers.
    square = captioners[0].load_square(FIVE[0])
    grid = captioners[0].encode([square])
    assert candidates[0].as_dict() == captioners[2].describe(grid, module.DecodeOptions(candidates=3))[0][0].as_dict()
    expected = captioners[1].describe(grid, prefixes=[" ".join(words[:2])])[0][0]
    assert steered.text == expected.text
    np.testing.assert_allclose(steered.words[-1].weights, expected.words[-1].weights, atol=1e-6)
    anew = occlude_word(captioners[0], square, words, 1, [3, 4])
    np.testing.assert_allclose(occluded.before, anew.before, rtol=1e-4)
    np.testing.assert_allclose(occluded.elsewhere, anew.elsewhere, rtol=1e-4)


def test_only_so_many_grids_stay_in_memory(serve, tiny_captioner, monkeypatch):
    passes = counted(monkeypatch, tiny_captioner)
    service = serve([tiny_captioner], grids=2)
    photos = [service.store.add_file(photo) for photo in FIVE]
    for photo in photos:
        result_of(service.caption(photo, "softmax"))
    assert sum(known.grid is not None for known in service._known.values()) == 2
    assert sum(known.loaded is not None for known in service._known.values()) == 2
    assert passes == [1] * 5
    result_of(service.steer(photos[4], "softmax", ["a"]))
    assert passes == [1] * 5
    result_of(service.steer(photos[0], "softmax", ["a"]))  # its grid is made again
    assert passes == [1] * 6
    assert result_of(service.preview(photos[1])).startswith("data:image/jpeg")


def test_closing_answers_those_who_wait_and_leaves_nothing(server, tiny_captioner, monkeypatch):
    real, gate = module.load_photo, threading.Event()
    monkeypatch.setattr(module, "load_photo", lambda *given, **more: gate.wait(1) or real(*given, **more))
    threads = threading.active_count()
    service = CaptionService([tiny_captioner], PhotoStore(server))
    photos = [service.store.add_file(photo) for photo in FIVE]

    async def ask():
        waiting = [asyncio.ensure_future(service.caption(photo, "softmax")) for photo in photos]
        await asyncio.sleep(0.1)
        await asyncio.to_thread(service.close)
        return await asyncio.gather(*waiting, return_exceptions=True)

    assert {type(each) for each in result_of(ask())} <= {ServerClosing, PhotoGone}
    with pytest.raises((ServerClosing, PhotoGone)):
        result_of(service.caption(photos[0], "softmax"))
    with pytest.raises(ServerClosing):
        add(service, FIVE[0].read_bytes())
    assert not list(server.path.iterdir())
    deadline = time.monotonic() + 5
    while threading.active_count() > threads:
        assert time.monotonic() < deadline, threading.enumerate()
        time.sleep(0.05)


def test_evidence_is_measured_from_the_stored_grid_once(serve, captioners, monkeypatch):
    passes = counted(monkeypatch, captioners[0])
    others = counted(monkeypatch, captioners[1])
    service = serve(captioners)
    photo = service.store.add_file(FIVE[0])
    best = result_of(service.caption(photo, "softmax"))
    words = [word.text for word in best.words]
    first, second, sparse = result_of(
        together(
            service.with_evidence(photo, "softmax"),
            service.with_evidence(photo, "softmax", words),
            service.with_evidence(photo, "sparsemax"),
        )
    )
    assert first is second
    assert best.evidence is None  # who did not ask gets none
    steered = result_of(service.with_evidence(photo, "softmax", ["two", "dogs"]))
    assert steered.text == "two dogs"
    assert (passes, others) == ([1], [])
    monkeypatch.undo()
    for captioner, found in [(captioners[0], first), (captioners[1], sparse)]:
        [expected] = captioner(FIVE[:1], evidence=True)
        assert found.text == expected.text
        np.testing.assert_allclose(found.evidence.nats, expected.evidence.nats, atol=1e-4)
        np.testing.assert_allclose(found.evidence.kept, expected.evidence.kept, atol=1e-4)
    grid = captioners[0].encode([captioners[0].load_square(FIVE[0])])
    np.testing.assert_allclose(steered.evidence.nats, captioners[0].evidence(grid, [steered])[0].nats, atol=1e-4)


def test_evidence_of_a_photo_whose_grid_is_gone(serve, tiny_captioner, monkeypatch):
    passes = counted(monkeypatch, tiny_captioner)
    service = serve([tiny_captioner], grids=1)
    photos = [service.store.add_file(photo) for photo in FIVE[:2]]
    for photo in photos:
        result_of(service.caption(photo, "softmax"))
    found = result_of(service.with_evidence(photos[0], "softmax"))
    assert found.evidence.nats.shape == (len(found.words), 2, 2)
    assert passes == [1, 1, 1]


def test_captions_go_first_come_first_served_while_evidence_is_measured(serve, tiny_captioner, monkeypatch):
    """Files with evidence of many photos are made in small steps, between which others have their turn."""
    order, real = [], module.compute.add_evidence
    service = serve([tiny_captioner])
    photos = [service.store.add_file(photo) for photo in FIVE[:2]]
    result_of(service.candidates(photos[0], "softmax"))
    started = threading.Event()

    def add_evidence(*given):
        order.append("evidence")
        started.set()
        time.sleep(0.2)
        return real(*given)

    monkeypatch.setattr(module.compute, "add_evidence", add_evidence)

    async def ask():
        file = asyncio.ensure_future(service.captioned_photo(photos[0], "softmax", "x.jpg", evidence=True))
        await asyncio.to_thread(started.wait, 10)
        await service.caption(photos[1], "softmax")
        order.append("caption")
        return await file

    found = result_of(ask())
    assert len(found.captions) == 3
    assert all(caption.evidence for caption in found.captions)
    assert order.index("caption") <= 2
    assert order.count("evidence") == 3
