"""The first two seconds: an example's caption plays by itself until the visitor does anything."""

import json

import numpy as np
import pytest
from playwright.sync_api import expect
from support.samples import PHOTOS
from support.web import captions, open_page, overlays, upload

from capmodel.output.player import player_item

INTRO = json.loads((PHOTOS.parent / "intro.json").read_text(encoding="utf-8"))
NOW = ".intro .said .now"


def test_what_plays_is_what_the_model_says(captioner):
    for name, item in INTRO.items():
        expected = player_item("", name, [captioner([PHOTOS / name])[0]])
        [found], [caption] = item["captions"], expected["captions"]
        assert [word["text"] for word in found["words"]] == [word["text"] for word in caption["words"]]
        assert found["top"] == pytest.approx(caption["top"], abs=1e-3)


def test_it_plays_by_itself_and_asks_the_server_for_nothing(browser, address):
    asked = []
    with open_page(browser, address) as page:
        page.on("request", lambda request: request.method == "POST" and asked.append(request.url))
        words = page.locator(".intro .said span")
        expect(page.locator(NOW)).to_have_count(1)
        first = words.evaluate_all("all => all.findIndex(each => each.classList.contains('now'))")
        page.wait_for_function(
            "first => [...document.querySelectorAll('.intro .said span')]"
            ".findIndex(each => each.classList.contains('now')) > first",
            arg=first,
        )
        assert np.ptp(overlays(page, ".intro canvas")[0]) > 50
        assert not [url for url in asked if "component_server" in url or url.endswith("/photo")]


@pytest.mark.parametrize("touch", ["key", "pointer", "wheel", "upload"])
def test_it_stops_for_good_at_the_first_touch(browser, address, touch):
    with open_page(browser, address) as page:
        expect(page.locator(NOW)).to_have_count(1)
        if touch == "key":
            page.keyboard.press("Tab")
        elif touch == "pointer":
            page.mouse.click(5, 5)
        elif touch == "wheel":
            page.mouse.wheel(0, 50)
        else:
            upload(page, PHOTOS / "soccer-players.jpg")
            captions(page, 1)
            expect(page.locator(".intro")).to_be_hidden()
            page.locator(".clear").click()
            expect(page.locator(".intro")).to_be_visible()
        expect(page.locator(NOW)).to_have_count(0)
        page.wait_for_timeout(1500)
        expect(page.locator(NOW)).to_have_count(0)


def test_it_rests_for_those_who_prefer_that(page):
    expect(page.locator(".intro .said span").first).to_be_visible()
    page.wait_for_timeout(800)
    expect(page.locator(NOW)).to_have_count(0)
