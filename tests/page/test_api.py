"""The page as a service: the same object as the command line's JSON, and a tool for language models."""

import asyncio
import base64
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from support.captions import assert_same
from support.samples import PHOTOS

from tests.support.servers.page import serve_page

PHOTO = PHOTOS / "two-dogs-playing-on-grass.jpg"


@pytest.fixture(scope="module")
def client(address):
    return Client(address, verbose=False)


def test_the_same_object_as_on_the_command_line(client):
    line = subprocess.run(
        [sys.executable, "-m", "capmodel", "--json", "--precision", "fp32", PHOTO],
        capture_output=True,
        text=True,
        timeout=120,
    )
    expected = json.loads(line.stdout)
    found = client.predict(handle_file(PHOTO), api_name="/caption")
    assert found["photo"] == PHOTO.name
    assert set(found) == set(expected)
    assert_same(found, expected)


@pytest.mark.parametrize("name", ["IMG_0001", "photo.HIF", "photo.mpo", "photo.jpg (1)", "photo.txt"])
def test_a_photo_of_any_name(client, captioner, tmp_path, name):
    shutil.copy(PHOTO, tmp_path / name)
    assert_same(client.predict(handle_file(tmp_path / name), api_name="/caption"), captioner([PHOTO])[0].as_dict())


def test_a_server_without_visitors_rests(address, monkeypatch):
    real, seconds = asyncio.sleep, []

    async def sleep(delay, *rest):
        seconds.append(delay)
        return await real(delay, *rest)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    time.sleep(0.5)
    assert seconds
    assert min(seconds) >= 0.01


def test_another_attention(client, captioners):
    found = client.predict(handle_file(PHOTO), "sparsemax", api_name="/caption")
    assert_same(found, captioners[1]([PHOTO])[0].as_dict())
    with pytest.raises(AppError, match="harder"):
        client.predict(handle_file(PHOTO), "harder", api_name="/caption")


def test_evidence_only_when_asked(client, captioner):
    found = client.predict(handle_file(PHOTO), evidence=True, api_name="/caption")
    [expected] = captioner([PHOTO], evidence=True)
    for word, told in zip(found["words"], expected.as_dict()["words"], strict=True):
        np.testing.assert_allclose(word["evidence"], told["evidence"], atol=2e-3)
        assert word["kept"] == pytest.approx(told["kept"], abs=2e-3)
    assert "evidence" not in client.predict(handle_file(PHOTO), api_name="/caption")["words"][0]


def test_only_captions_are_public(client):
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/caption"]
    assert client.view_api(return_format="dict")["unnamed_endpoints"] == {}


def test_a_bad_photo_is_explained(client, tmp_path):
    (tmp_path / "letter.jpg").write_text("Dear reader")
    with pytest.raises(AppError, match="not a photo"):
        client.predict(handle_file(tmp_path / "letter.jpg"), api_name="/caption")


def test_a_path_of_the_server_is_refused(client):
    with pytest.raises(Exception, match=r".+") as refused:
        client.predict("/etc/passwd", api_name="/caption")
    assert "root:" not in str(refused.value)


def test_a_tool_for_language_models():
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    with serve_page("--mcp") as (address, _):

        async def use() -> tuple[list, str]:
            endpoint = streamablehttp_client(f"{address}gradio_api/mcp/")
            async with endpoint as (reading, writing, _), ClientSession(reading, writing) as session:
                await session.initialize()
                tools = (await session.list_tools()).tools
                photo = "data:image/jpeg;base64," + base64.b64encode(PHOTO.read_bytes()).decode()
                answer = await session.call_tool(tools[0].name, {"photo": photo})
                return tools, "".join(part.text for part in answer.content if part.type == "text")

        with ThreadPoolExecutor(1) as pool:  # the browser's tests keep an event loop in this thread
            tools, answer = pool.submit(asyncio.run, use()).result(60)
    assert len(tools) == 1
    assert "Captions a photo" in tools[0].description
    assert "dog" in answer
