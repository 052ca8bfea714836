"""The page works below a path of another address, on a machine where everything else goes through a broken proxy."""

import json
import os

import pytest
from playwright.sync_api import expect
from support.samples import PHOTOS
from support.servers import http
from support.servers.subpath import serve_below
from support.web import captions, open_page, upload

from tests.support.servers.page import serve_page

PROXIES = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "https_proxy": "unknown://127.0.0.1:9",
    "ALL_PROXY": "socks5://127.0.0.1:9",
}


@pytest.fixture(scope="module")
def behind():
    """The address of a page that knows that it is seen at /capmodel, and can be reached only without a proxy."""
    environment = {**os.environ, **PROXIES, "GRADIO_ROOT_PATH": "/capmodel", "NO_PROXY": "intra.example"}
    with serve_page(environment=environment) as (address, _):
        yield address


@pytest.mark.parametrize("strip", [True, False], ids=["stripped", "kept"])
def test_a_page_below_a_path(browser, behind, strip):
    with serve_below("/capmodel", behind, strip=strip) as address, open_page(browser, address) as page:
        upload(page, PHOTOS / "soccer-players.jpg")  # its own route
        [caption] = captions(page, 1)
        assert len(caption.split()) > 3
        expect(page.locator(".player")).to_be_visible()
        page.locator(".tools button", has_text="Save").click()
        with page.expect_download(timeout=60_000) as download:
            page.locator(".save-json").click()
        assert download.value.url.startswith(f"{address}saved/")
        assert json.loads(download.value.path().read_text())[0]["caption"] == caption


def test_the_api_below_a_path(behind):
    with serve_below("/capmodel", behind, strip=True) as address:
        assert http.get(f"{address}config").json()["root"] == address.rstrip("/")
        answer = http.post(f"{address}photo", content=(PHOTOS / "soccer-players.jpg").read_bytes(), timeout=60).json()
        assert answer["captions"][0]["words"]
        assert http.get(address.replace("/capmodel/", "/")).status_code == 404
