"""Private and safe: what must not come back, and what the page refuses."""

import io
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from support.samples import PHOTOS, ROOT
from support.servers import http
from support.servers.here import serve_here
from support.web import captions, open_page, upload

from app import build_app
from capmodel.serving import service
from capmodel.serving.limits import Limits
from capmodel.serving.storage.folders import ServerFolder, server_folder
from tests.support.servers.page import serve_page


def ask(address: str, name: str, question, component: int | None = None):
    """A question to the server as the player asks it; returns the response."""
    config = http.get(f"{address}config").json()
    player = next(
        part["id"] for part in config["components"] if part["type"] == "html" and part["props"].get("js_on_load")
    )
    body = {"data": question, "fn_name": name, "session_hash": "test", "component_id": component or player}
    return http.post(f"{address}gradio_api/component_server/", json=body, timeout=60)


def send(address: str, data: bytes) -> dict:
    """A photo's caption, as the page gets it."""
    return http.post(f"{address}photo", content=data, timeout=60).json()


def put(address: str, name: str, data: bytes) -> str:
    """Uploads to Gradio, as the API does."""
    return http.post(f"{address}gradio_api/upload", files={"files": (name, data)}, timeout=60).json()[0]


def encoded(pixels: np.ndarray, kind: str = "JPEG", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def test_the_place_where_a_photo_was_taken_does_not_come_back(page, address):
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 29.0), 3: "E", 4: (2.0, 17.0, 40.0)}
    exif[0x010F] = "SECRETCAMERA"
    pixels = np.random.default_rng(3).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    data = encoded(pixels, exif=exif)
    assert b"SECRETCAMERA" in data
    answer = send(address, data)
    picture = ask(address, "picture", {"key": answer["key"]}).json()["url"]
    assert picture.startswith("data:image/jpeg")
    question = {"kind": "html", "photos": [{"key": answer["key"], "name": "x", "words": None}]}
    job = ask(address, "make_file", question).json()["job"]
    deadline = time.monotonic() + 60
    while "url" not in (state := ask(address, "file_state", {"job": job}).json()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    saved = http.get(address + state["url"]).text
    for text in (answer["preview"], picture, saved):
        import base64

        for part in text.split("base64,")[1:]:
            jpeg = base64.b64decode(part.partition('"')[0])
            assert b"SECRETCAMERA" not in jpeg
            if jpeg[:2] == b"\xff\xd8":
                assert not Image.open(io.BytesIO(jpeg)).getexif()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a page that is built now has all its files."""
    folder = ServerFolder(tmp_path)
    monkeypatch.setattr("app.server_folder", lambda: folder)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder.path / "gradio"))
    yield folder.path
    folder.close()


def test_everything_is_gone_after_a_while(captioner, tmp_path, folder):
    with serve_here([captioner], limits=Limits(retention_seconds=3)) as address:
        before = {path for path in tmp_path.rglob("*") if path.is_file()}
        key = send(address, encoded(np.full((64, 64, 3), 90, np.uint8)))["key"]
        put(address, "never-asked-about.jpg", encoded(np.full((64, 64, 3), 60, np.uint8)))
        job = ask(address, "make_file", {"kind": "json", "photos": [{"key": key, "name": "x", "words": None}]}).json()[
            "job"
        ]
        assert {path for path in tmp_path.rglob("*") if path.is_file()} - before
        deadline = time.monotonic() + 15
        while left := {path for path in tmp_path.rglob("*") if path.is_file()} - before:
            assert time.monotonic() < deadline, left
            time.sleep(0.3)
        assert ask(address, "file_state", {"job": job}).status_code == 200
        assert ask(address, "steer", {"key": key, "words": ["a"]}).json() == {"gone": True}
        assert all(path.exists() for path in before)  # the example photos stay
        key = send(address, encoded(np.full((64, 64, 3), 90, np.uint8)))["key"]
        put(address, "never-asked-about.jpg", encoded(np.full((64, 64, 3), 61, np.uint8)))
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and key.partition("-")[2] in path.name]
    assert not list(tmp_path.rglob("never-asked-about.jpg"))


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", str(ROOT / "app.py"), str(ROOT / "assets/photos/CREDITS.md"), "../../etc/passwd", "", "app.py"],
)
def test_no_file_of_the_server_can_be_read(address, path):
    assert http.get(f"{address}gradio_api/file={path}").status_code in (403, 404)
    assert "error" in ask(address, "sample", {"file": path}).json()
    assert http.get(f"{address}saved/{path}").status_code == 404
    call = http.post(
        f"{address}gradio_api/call/caption",
        json={"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, "softmax", False]},
    )
    if call.status_code == 200:
        stream = http.get(f"{address}gradio_api/call/caption/{call.json()['event_id']}", timeout=30).text
        assert "event: error" in stream
        assert "root:" not in stream


def test_the_example_photos_cannot_be_taken_away(address):
    config = http.get(f"{address}config").json()
    player = next(part for part in config["components"] if part["props"].get("js_on_load"))
    path = player["props"]["value"]["samples"][0]["image"]["path"]
    data = http.get(f"{address}gradio_api/file={path}").content
    assert put(address, Path(path).name, data) == path  # Gradio keeps equal files as one
    assert "event: complete" in caption_through_the_api(address, path)
    assert http.get(f"{address}gradio_api/file={path}").status_code == 200


def test_what_comes_through_the_api_does_not_stay(address):
    path = put(address, "api.jpg", encoded(np.full((50, 50, 3), 77, np.uint8)))
    assert "event: complete" in caption_through_the_api(address, path)
    assert http.get(f"{address}gradio_api/file={path}").status_code in (403, 404)


def caption_through_the_api(address: str, path: str) -> str:
    body = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, "softmax", False]}
    event = http.post(f"{address}gradio_api/call/caption", json=body).json()["event_id"]
    return http.get(f"{address}gradio_api/call/caption/{event}", timeout=60).text


def test_the_same_photo_from_several_api_clients_at_once(address):
    """Gradio keeps their uploads as one file, which must stay until each of them is answered."""
    data = encoded(np.full((50, 60, 3), 78, np.uint8))
    paths = [put(address, "same.jpg", data) for _ in range(4)]
    assert len(set(paths)) == 1
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(partial(caption_through_the_api, address), paths))
    for answer in answers:
        assert "event: complete" in answer
        assert '"photo": "same.jpg"' in answer
    assert http.get(f"{address}gradio_api/file={paths[0]}").status_code in (403, 404)
    answer = caption_through_the_api(address, put(address, "same.jpg", b"Dear reader"))
    assert "not a photo" in answer
    assert paths[0] not in answer


def test_uploads_through_the_api_have_a_limit(tiny_captioner, folder):
    with serve_here([tiny_captioner], limits=Limits(stored_bytes=2_000_000, photo_bytes=1_500_000)) as address:
        sent = [
            http.post(f"{address}gradio_api/upload", files={"files": (f"{n}.jpg", bytes([n]) * 800_000)}, timeout=60)
            for n in range(4)
        ]
        assert [response.status_code for response in sent][:1] == [200]
        assert sent[-1].status_code == 503
        assert "no room" in sent[-1].text
        assert sum(path.stat().st_size for path in folder.rglob("[0-9].jpg")) < 2_000_000


def test_the_page_answers_while_seventy_photos_wait(tiny_captioner, monkeypatch):
    """The server has 40 threads; photos that wait for others must not take them."""
    gate, real = threading.Event(), service.load_photo
    monkeypatch.setattr(service, "load_photo", lambda *given, **more: gate.wait(60) and real(*given, **more))
    app, launch = build_app([tiny_captioner])
    try:
        _, address, _ = app.launch(**launch, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
        photos = [encoded(np.full((20, 20, 3), n, np.uint8)) for n in range(70)]
        with ThreadPoolExecutor(70) as pool:
            waiting = [pool.submit(send, address, photo) for photo in photos]
            deadline = time.monotonic() + 30
            while len(app.player_protocol.service.store.files()) < 70:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert http.get(address, timeout=30).status_code == 200
            assert not any(each.done() for each in waiting)  # it did not wait for them
            gate.set()
            assert all("key" in each.result() for each in waiting)
    finally:
        gate.set()
        app.close()


def test_bodies_that_are_no_photos_take_neither_memory_nor_disk(address):
    """Twelve of 99 MB at once."""
    sent = bytes(1 << 20)

    def body():
        for _ in range(94):
            yield sent

    def memory() -> int:
        [line] = [each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmRSS")]
        return int(line.split()[1]) * 1024

    before, most, stop = memory(), [0], threading.Event()

    def watch():
        while not stop.wait(0.02):
            most[0] = max(most[0], memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: http.post(f"{address}photo", content=body(), timeout=120).json(), range(12)))
    stop.set()
    watcher.join()
    assert all("not a photo" in answer["error"] for answer in answers)
    assert most[0] - before < 200e6
    kept = [path for path in server_folder().path.rglob("*") if path.is_file() and path.stat().st_size > 1e7]
    assert kept == []


def test_a_temporary_folder_that_is_cleaned_away_comes_again(tiny_captioner, folder):
    with serve_here([tiny_captioner]) as address:
        data = encoded(np.full((64, 64, 3), 91, np.uint8))
        key = send(address, data)["key"]
        shutil.rmtree(folder)
        assert ask(address, "known", {"key": key}).json() == {"gone": True}
        assert send(address, data)["key"] == key
        assert "url" in ask(address, "picture", {"key": key}).json()
        assert "event: complete" in caption_through_the_api(address, put(address, "again.jpg", data))


ODD = [None, 3, "x", [], {}, {"key": "../x"}, {"key": None, "words": [], "index": "a", "cells": None}]
ODD += [
    {"kind": "../x", "photos": []},
    {"kind": "zip", "photos": 3},
    {"job": ["x"]},
    {"path": ["/etc/passwd"]},
    {"sample": 3},
]


@pytest.mark.parametrize(
    "name", ["sample", "attend", "steer", "occlude", "candidates", "picture", "known", "make_file", "file_state"]
)
def test_odd_questions_have_an_answer(address, name):
    for question in ODD:
        response = ask(address, name, question)
        assert response.status_code == 200
        assert set(response.json()) <= {"error", "gone", "job"}
        assert "Traceback" not in response.text


def test_hostile_words_stay_words(page, address):
    key = send(address, encoded(np.full((64, 64, 3), 30, np.uint8)))["key"]
    for words in (["<img src=x onerror=alert(1)>"], ["${alert(1)}"], ["a" * 50], ["a"] * 50, []):
        response = ask(address, "steer", {"key": key, "words": words})
        assert response.status_code == 200
    question = {
        "kind": "zip",
        "photos": [{"key": key, "name": "../../../etc/<script>alert(1)</script>", "words": None}],
    }
    job = ask(address, "make_file", question).json()["job"]
    deadline = time.monotonic() + 60
    while "url" not in (state := ask(address, "file_state", {"job": job}).json()):
        assert time.monotonic() < deadline, state
        time.sleep(0.2)
    import zipfile

    with zipfile.ZipFile(io.BytesIO(http.get(address + state["url"]).content)) as archive:
        assert not [name for name in archive.namelist() if ".." in name or name.startswith("/") or "<" in name]
        assert "<script>alert(1)" not in archive.read("photos.html").decode()


def test_two_hundred_photos(browser, tiny_captioner):
    random = np.random.default_rng(7)
    files = [
        {
            "name": f"{n}.png",
            "mimeType": "image/png",
            "buffer": encoded(random.integers(0, 256, (40, 40, 3), np.uint8), "PNG"),
        }
        for n in range(200)
    ]
    with serve_here([tiny_captioner]) as address, open_page(browser, address) as page:
        upload(page, files)
        expect(page.locator(".card.done")).to_have_count(200, timeout=240_000)
        expect(page.locator(".count")).to_have_text("200 photos")


@pytest.mark.parametrize(("side", "said"), [((9000, 6700), None), ((12000, 9200), "million pixels")])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_very_large_photos(page, side, said, kind):
    data = encoded(
        np.full((side[1], side[0], 3), 127, np.uint8), kind, **({"compress_level": 1} if kind == "PNG" else {})
    )
    upload(page, {"name": f"large.{kind.lower()}", "mimeType": f"image/{kind.lower()}", "buffer": data})
    [text] = captions(page, 1)
    assert (said in text) if said else len(text.split()) > 2


def test_a_body_that_is_too_large_is_refused(address):
    assert "larger than 100 MB" in send(address, bytes(100_000_001))["error"]
    assert "empty" in send(address, b"")["error"]


def test_a_file_that_is_too_large_is_not_even_sent(page, tmp_path):
    sent = []
    page.on("request", lambda request: request.url.endswith("/photo") and sent.append(request.url))
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(101_000_000)
    upload(page, tmp_path / "huge.jpg")
    assert "larger than 100 MB" in captions(page, 1)[0]
    assert sent == []


GUARD = """
import socket, sys
real = socket.socket.connect
def connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "localhost", "::1"):
        print("OUTSIDE", address, flush=True)
    return real(self, address)
socket.socket.connect = connect
look_up = socket.getaddrinfo
def getaddrinfo(host, *rest, **more):
    if host not in (None, "127.0.0.1", "localhost", "::1", "0.0.0.0", b"127.0.0.1"):
        print("OUTSIDE", host, flush=True)
    return look_up(host, *rest, **more)
socket.getaddrinfo = getaddrinfo
sys.argv = ["app.py", *sys.argv[1:]]
import runpy
runpy.run_path("app.py", run_name="__main__")
"""


def test_the_server_asks_nobody_else(browser, tmp_path):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("GRADIO_", "HF_"))}
    with (tmp_path / "log").open("wb") as log:
        served = serve_page(program=("-c", GUARD), environment=environment, log=log)
        with served as (address, _), open_page(browser, address) as page:
            upload(page, PHOTOS / "soccer-players.jpg")
            captions(page, 1)
    printed = (tmp_path / "log").read_text()
    assert "Running on local URL" in printed
    assert "OUTSIDE" not in printed
