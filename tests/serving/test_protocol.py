"""What the browser may ask: every question has an answer, in one sentence where something is wrong."""

import asyncio
import io
import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from support.asynchronous import result_of
from support.samples import PHOTOS

from capmodel.output.player import evidence_item
from capmodel.serving.errors import describe_os_error
from capmodel.serving.jobs import Jobs
from capmodel.serving.limits import Limits
from capmodel.serving.protocol import Protocol
from capmodel.serving.service import CaptionService
from capmodel.serving.storage.store import PhotoStore

FIVE = sorted(PHOTOS.glob("*.jpg"))[:5]


@pytest.fixture
def make_protocol(server, tiny_captioner):
    made = []

    def make(**limits) -> Protocol:
        bounds = Limits(**limits)
        service = CaptionService([tiny_captioner], PhotoStore(server, bounds))
        made.append(Protocol(service, Jobs(server, bounds), {photo.name: photo for photo in FIVE}))
        return made[-1]

    yield make
    for protocol in made:
        protocol.close()


def ask(protocol: Protocol, name: str, question) -> dict:
    [function] = [each for each in protocol.questions if each.__name__ == name]
    assert asyncio.iscoroutinefunction(function)  # Gradio awaits these, and calls others in its 40 threads
    answer = result_of(function(question))
    json.dumps(answer)
    return answer


def send(protocol: Protocol, data: bytes, attention: str | None = None, length: int | None = None) -> tuple[dict, int]:
    """The answer to an upload, and how many bytes of it were read."""
    read = 0

    async def stream():
        nonlocal read
        for start in range(0, len(data), 50_000):
            read += len(data[start : start + 50_000])
            yield data[start : start + 50_000]

    return result_of(protocol.upload(stream(), length, attention)), read


def test_a_refused_upload_is_read_to_its_end_for_browsers_read_no_answer_before(make_protocol):
    answer, read = send(make_protocol(), bytes(1_000_000))
    assert "not a photo" in answer["error"]
    assert read == 1_000_000
    answer, read = send(make_protocol(photo_bytes=100_000), bytes(1_000_000), length=1_000_000)
    assert answer == {"error": "This file is larger than 0.1 MB; please make it smaller."}
    assert read <= 150_000  # but not for ever


def test_photos_are_known_by_attention_and_content(make_protocol):
    protocol = make_protocol()
    answer, _ = send(protocol, FIVE[0].read_bytes())
    kind, _, photo = answer["key"].partition("-")
    assert kind == "softmax"
    assert protocol.service.store.path(photo).exists()
    assert answer["preview"].startswith("data:image/jpeg")
    assert ask(protocol, "sample", {"file": FIVE[0].name})["key"] == answer["key"]
    assert ask(protocol, "attend", {"key": answer["key"], "attention": "softmax"})["key"] == answer["key"]
    assert "error" in send(protocol, FIVE[0].read_bytes(), "harder")[0]
    protocol.service.store.path(photo).unlink()
    assert ask(protocol, "known", {"key": answer["key"]}) == {"gone": True}
    assert ask(protocol, "picture", {"key": answer["key"]}) == {"gone": True}


def test_other_words_come_when_asked(make_protocol, tiny_captioner):
    protocol = make_protocol()
    answer, _ = send(protocol, FIVE[0].read_bytes())
    assert all("alternatives" not in word for word in answer["captions"][0]["words"])
    found = ask(protocol, "alternatives", {"key": answer["key"]})
    [caption] = tiny_captioner([FIVE[0]])
    assert [[text for text, _ in each] for each in found["alternatives"]] == [
        [text for text, _ in word.alternatives] for word in caption.words
    ]
    shares = [share for each in found["alternatives"] for _, share in each]
    assert shares == pytest.approx([share for word in caption.words for _, share in word.alternatives], abs=2e-4)
    assert ask(protocol, "alternatives", {"key": "softmax-0000"}) == {"gone": True}


def test_evidence_comes_with_a_sentence_for_each_word(make_protocol, tiny_captioner):
    protocol = make_protocol()
    answer, _ = send(protocol, FIVE[0].read_bytes())
    assert "evidence" not in answer["captions"][0]
    words = [word["text"] for word in answer["captions"][0]["words"]]
    found = ask(protocol, "evidence", {"key": answer["key"]})
    assert found == ask(protocol, "evidence", {"key": answer["key"], "words": words})
    [caption] = tiny_captioner([FIVE[0]], evidence=True)
    assert found == evidence_item(caption)
    assert len(found["words"]) == len(words)
    assert len(ask(protocol, "evidence", {"key": answer["key"], "words": ["a", "dog"]})["words"]) == 2
    assert "error" in ask(protocol, "evidence", {"key": answer["key"], "words": [1]})
    assert "error" in ask(protocol, "evidence", {"key": answer["key"].replace("softmax", "harder")})
    assert ask(protocol, "evidence", {"key": "softmax-0000"}) == {"gone": True}


def test_files_have_evidence_only_when_asked(make_protocol):
    protocol = make_protocol()
    key = send(protocol, FIVE[0].read_bytes())[0]["key"]
    for wanted in (False, True):
        question = {"kind": "json", "photos": [{"key": key, "name": "x", "words": ["a", "dog"]}], "evidence": wanted}
        job = ask(protocol, "make_file", question)["job"]
        until = time.monotonic() + 10
        while "done" in ask(protocol, "file_state", {"job": job}):
            assert time.monotonic() < until
            time.sleep(0.02)
        [told] = json.loads(protocol.saved_file(job).read_text())
        assert told["caption"] == "a dog"
        for caption in (told, *told["candidates"]):
            assert [("evidence" in word) for word in caption["words"]] == [wanted] * len(caption["words"])


def test_a_full_disk_is_told_in_a_sentence(make_protocol, monkeypatch, server):
    protocol = make_protocol()
    with monkeypatch.context() as patch:
        patch.setattr(server, "make", lambda name: (_ for _ in ()).throw(OSError(28, "No space left", "/secret/path")))
        answer, _ = send(protocol, FIVE[0].read_bytes())
        assert answer == {"error": "The server's disk is full; please try again later."}
    key = send(protocol, FIVE[0].read_bytes())[0]["key"]
    with monkeypatch.context() as patch:
        patch.setattr(server, "make", lambda name: (_ for _ in ()).throw(OSError(13, "Permission", "/secret/path")))
        job = ask(protocol, "make_file", {"kind": "json", "photos": [{"key": key, "name": "x"}]})["job"]
        until = time.monotonic() + 10
        while "done" in (state := ask(protocol, "file_state", {"job": job})):
            assert time.monotonic() < until
            time.sleep(0.02)
    assert state == {"error": "The server could not read or write a file; please try again later."}
    assert "secret" not in describe_os_error(OSError(2, "x", "/secret/path"))


def test_a_file_shows_only_so_many_photos(make_protocol):
    protocol = make_protocol(job_photos=2)
    key = send(protocol, FIVE[0].read_bytes())[0]["key"]
    photos = [{"key": key, "name": "x"}] * 3
    assert "at most 2 photos" in ask(protocol, "make_file", {"kind": "json", "photos": photos})["error"]
    assert "job" in ask(protocol, "make_file", {"kind": "json", "photos": photos[:2]})


def test_jobs_that_wait_hold_photos_no_longer_than_promised(make_protocol, monkeypatch):
    """But one in the making keeps its own."""
    protocol = make_protocol()
    store = protocol.service.store
    making, outdated = threading.Event(), threading.Event()

    def export(photos, kind, file, progress):
        making.set()
        assert outdated.wait(10)
        file.write_text(str([photo.name for photo in photos]))

    monkeypatch.setattr("capmodel.serving.protocol.export", export)
    first, second = (send(protocol, photo.read_bytes())[0]["key"] for photo in FIVE[:2])
    jobs = [
        ask(protocol, "make_file", {"kind": "json", "photos": [{"key": key, "name": "x"}]})["job"]
        for key in (first, second)
    ]
    assert making.wait(10)
    monkeypatch.setattr(store, "limits", replace(store.limits, retention_seconds=0))
    store.sweep()
    outdated.set()
    until, states = time.monotonic() + 10, []
    for job in jobs:
        while "done" in (state := ask(protocol, "file_state", {"job": job})):
            assert time.monotonic() < until
            time.sleep(0.02)
        states.append(state)
    assert "url" in states[0]
    assert states[1] == {"gone": True}
    assert not store._held
    assert not store._kept


def test_held_for_a_file_it_is_not_driven_out(make_protocol, monkeypatch):
    protocol = make_protocol(photos=2)
    gate = []

    def export(photos, kind, file, progress):
        until = time.monotonic() + 10
        while not gate and time.monotonic() < until:
            time.sleep(0.01)
        file.write_text(str([photo.name for photo in photos]))

    monkeypatch.setattr("capmodel.serving.protocol.export", export)
    key = send(protocol, FIVE[0].read_bytes())[0]["key"]
    job = ask(protocol, "make_file", {"kind": "json", "photos": [{"key": key, "name": "x"}]})["job"]
    for photo in FIVE[1:]:
        assert "key" in send(protocol, photo.read_bytes())[0]
    gate.append(True)
    until = time.monotonic() + 10
    while "url" not in (state := ask(protocol, "file_state", {"job": job})):
        assert "done" in state
        assert time.monotonic() < until
        time.sleep(0.02)


def test_after_closing_there_is_still_an_answer(make_protocol):
    protocol = make_protocol()
    key = send(protocol, FIVE[0].read_bytes())[0]["key"]
    protocol.close()
    assert "shutting down" in send(protocol, FIVE[1].read_bytes())[0]["error"]
    answers = [
        ask(protocol, "steer", {"key": key, "words": ["a"]}),
        ask(protocol, "make_file", {"kind": "json", "photos": [{"key": key, "name": "x"}]}),
        ask(protocol, "sample", {"file": FIVE[0].name}),
    ]
    assert all(set(answer) <= {"error", "gone"} for answer in answers)


def frame(photo: Path, side: int = 64) -> bytes:
    file = io.BytesIO()
    Image.open(photo).convert("RGB").resize((side, side)).save(file, "JPEG", quality=92)
    return file.getvalue()


def send_frame(protocol: Protocol, data: bytes, attention: str | None = None) -> dict:
    async def stream():
        for start in range(0, len(data), 10_000):
            yield data[start : start + 10_000]

    answer = result_of(protocol.frame(stream(), attention))
    json.dumps(answer)
    return answer


def test_a_frame_is_captioned_and_not_kept(make_protocol, tiny_captioner):
    protocol = make_protocol()
    for photo in FIVE[:2]:
        data = frame(photo)
        item = send_frame(protocol, data)
        assert [word["text"] for word in item["captions"][0]["words"]] == tiny_captioner([data])[0].text.split()
        assert item["key"] == ""
        assert "preview" not in item
    assert protocol.service.store.files() == []
    assert not protocol.service._known


@pytest.mark.parametrize(
    ("data", "limits", "said"),
    [
        (b"\xff\xd8\xff" + bytes(3000), {"frame_bytes": 2000}, "larger than 2 kB"),
        (frame(FIVE[0], 200), {"frame_side": 150}, "more than 150 pixels"),
        (b"no picture", {}, "not a photo"),
        (b"", {}, "empty"),
        (frame(FIVE[0]), {"frames": 0}, "Many people are live"),
    ],
)
def test_frames_that_are_refused(make_protocol, data, limits, said):
    protocol = make_protocol(**limits)
    assert said in send_frame(protocol, data)["error"]
    assert protocol._frames == 0


def test_a_frame_that_never_ends(make_protocol):
    async def stream():
        yield b"\xff\xd8\xff"
        await asyncio.sleep(60)

    assert "too long" in result_of(make_protocol(frame_seconds=0.05).frame(stream(), None))["error"]


def test_a_photo_is_recalled_after_a_reload_until_it_is_gone(make_protocol):
    protocol = make_protocol()
    sent, _ = send(protocol, FIVE[0].read_bytes())
    found = ask(protocol, "recall", {"key": sent["key"], "attention": "softmax"})
    assert found == sent
    assert ask(protocol, "recall", {"key": "softmax-" + "0" * 64, "attention": "softmax"}) == {"gone": True}
