"""Private and safe: what must not come back, and what the page refuses."""

import io
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from support.samples import PHOTOS, ROOT
from support.web import captions, open_page, upload

from app import build_app


def ask(address: str, name: str, question, component: int | None = None):
    """A question to the server as the player asks it; returns the response."""
    config = httpx.get(f"{address}config").json()
    player = next(
        part["id"] for part in config["components"] if part["type"] == "html" and part["props"].get("js_on_load")
    )
    body = {"data": question, "fn_name": name, "session_hash": "test", "component_id": component or player}
    return httpx.post(f"{address}gradio_api/component_server/", json=body, timeout=60)


def send(address: str, data: bytes) -> dict:
    """A photo's caption, as the page gets it."""
    return httpx.post(f"{address}photo", content=data, timeout=60).json()


def put(address: str, name: str, data: bytes) -> str:
    """Uploads to Gradio, as the API does."""
    return httpx.post(f"{address}gradio_api/upload", files={"files": (name, data)}, timeout=60).json()[0]


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
    saved = httpx.get(address + state["url"]).text
    for text in (answer["preview"], picture, saved):
        import base64

        for part in text.split("base64,")[1:]:
            jpeg = base64.b64decode(part.partition('"')[0])
            assert b"SECRETCAMERA" not in jpeg
            if jpeg[:2] == b"\xff\xd8":
                assert not Image.open(io.BytesIO(jpeg)).getexif()


def test_everything_is_gone_after_a_while(captioner, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "photos"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    app, launch = build_app([captioner], retention_seconds=3)
    try:
        _, address, _ = app.launch(**launch, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
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
    finally:
        app.close()


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", str(ROOT / "app.py"), str(ROOT / "assets/photos/CREDITS.md"), "../../etc/passwd", "", "app.py"],
)
def test_no_file_of_the_server_can_be_read(address, path):
    assert httpx.get(f"{address}gradio_api/file={path}").status_code in (403, 404)
    assert "error" in ask(address, "sample", {"file": path}).json()
    assert httpx.get(f"{address}saved/{path}").status_code == 404
    call = httpx.post(
        f"{address}gradio_api/call/caption",
        json={"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, "softmax"]},
    )
    if call.status_code == 200:
        stream = httpx.get(f"{address}gradio_api/call/caption/{call.json()['event_id']}", timeout=30).text
        assert "event: error" in stream
        assert "root:" not in stream


def test_the_example_photos_cannot_be_taken_away(address):
    config = httpx.get(f"{address}config").json()
    player = next(part for part in config["components"] if part["props"].get("js_on_load"))
    path = player["props"]["value"]["samples"][0]["image"]["path"]
    data = httpx.get(f"{address}gradio_api/file={path}").content
    assert put(address, Path(path).name, data) == path  # Gradio keeps equal files as one
    body = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, "softmax"]}
    event = httpx.post(f"{address}gradio_api/call/caption", json=body).json()["event_id"]
    assert "event: complete" in httpx.get(f"{address}gradio_api/call/caption/{event}", timeout=30).text
    assert httpx.get(f"{address}gradio_api/file={path}").status_code == 200


def test_what_comes_through_the_api_does_not_stay(address):
    path = put(address, "api.jpg", encoded(np.full((50, 50, 3), 77, np.uint8)))
    body = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, "softmax"]}
    event = httpx.post(f"{address}gradio_api/call/caption", json=body).json()["event_id"]
    assert "event: complete" in httpx.get(f"{address}gradio_api/call/caption/{event}", timeout=30).text
    assert httpx.get(f"{address}gradio_api/file={path}").status_code in (403, 404)


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

    with zipfile.ZipFile(io.BytesIO(httpx.get(address + state["url"]).content)) as archive:
        assert not [name for name in archive.namelist() if ".." in name or name.startswith("/") or "<" in name]
        assert "<script>alert(1)" not in archive.read("photos.html").decode()


def test_two_hundred_photos(page):
    random = np.random.default_rng(7)
    files = [
        {
            "name": f"{n}.png",
            "mimeType": "image/png",
            "buffer": encoded(random.integers(0, 256, (40, 40, 3), np.uint8), "PNG"),
        }
        for n in range(200)
    ]
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


def test_the_server_asks_nobody_else(browser):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("GRADIO_", "HF_"))}
    command = [sys.executable, "-u", "-c", GUARD, "--port", str(port)]
    server = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        address = f"http://127.0.0.1:{port}/"
        deadline = time.monotonic() + 60
        while True:
            try:
                if httpx.get(address).status_code == 200:
                    break
            except httpx.HTTPError:
                assert time.monotonic() < deadline
                time.sleep(0.3)
        with open_page(browser, address) as page:
            upload(page, PHOTOS / "soccer-players.jpg")
            captions(page, 1)
    finally:
        server.terminate()
        printed = server.communicate(timeout=20)[0]
    assert "Running on local URL" in printed
    assert "OUTSIDE" not in printed
