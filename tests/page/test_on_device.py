"""Visitors of the page may choose that their own browser captions: what they add then is not sent to the server."""

import copy
import json

import pytest
import torch
from playwright.sync_api import expect
from support.samples import PHOTOS
from support.servers.here import serve_here
from support.web import captions, open_page, upload

from capmodel.captioner import Captioner
from capmodel.command_line import UserError
from capmodel.serving.on_device import OnDevice

DOG, CAT = PHOTOS / "dachshund-in-snow.jpg", PHOTOS / "cat-face-close-up.jpg"


@pytest.fixture(scope="module")
def offering(captioners, exported_models):
    """The address of a page that offers the choice."""
    with serve_here(captioners, on_device=OnDevice.read(exported_models, "softmax", captioners)) as address:
        yield address


def test_what_is_captioned_on_this_device_is_not_sent(offering, browser, captioner):
    with open_page(browser, offering, reduced_motion="reduce") as page:
        sent = []
        page.on("request", lambda request: request.method == "POST" and sent.append(request.url))
        page.locator(".on-device input").check()
        expect(page.locator(".on-device")).to_contain_text("they are not sent to the server", timeout=60_000)
        upload(page, DOG)
        assert captions(page, 1) == [captioner([DOG])[0].text]
        page.locator(".tools button", has_text="Other captions").click()
        expect(page.locator(".choices button")).to_have_count(3)
        page.locator(".on-device input").uncheck()
        page.locator(".tools button", has_text="Other words").click()
        page.locator(".words button").nth(1).click()
        page.locator(".chips button.chip").first.click()
        expect(page.locator(".undo")).to_be_visible()
        assert sent == []
        upload(page, CAT)
        captions(page, 2)
        assert [address for address in sent if "/photo?" in address]
        page.reload()  # the server has one of them
        expect(page.locator(".note")).to_contain_text("1 photo of before this page was loaded again is gone")
        captions(page, 1)


def test_without_the_files_there_is_no_choice(page):
    expect(page.locator(".on-device")).to_be_hidden()


def test_a_folder_without_the_pages_captioner(tmp_path, captioners, exported_models):
    with pytest.raises(
        UserError, match=r"holds no captioner for browsers; write one with `python -m capmodel\.browser"
    ):
        OnDevice.read(tmp_path, "softmax", captioners)
    with pytest.raises(UserError, match="holds softmax, but the page runs mine"):
        OnDevice.read(exported_models, "mine", captioners)
    described = json.loads((exported_models / "captioner.json").read_text(encoding="utf-8"))
    described["decoding"]["beam"] += 1
    (tmp_path / "captioner.json").write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(UserError, match="is from another version of capmodel"):
        OnDevice.read(tmp_path, "softmax", captioners)


def test_a_folder_with_other_weights(exported_models, captioners):
    """Its name is the page's, but the page's model has been trained further."""
    trained = copy.deepcopy(captioners[2].model)
    with torch.no_grad():
        trained.decoder.output_bias[-1] += 1
    others = [*captioners[:2], Captioner(trained, captioners[2].tokenizer)]
    with pytest.raises(UserError, match="holds other weights than the page; write it again with"):
        OnDevice.read(exported_models, "softmax", others)
    assert OnDevice.read(exported_models, "softmax", captioners)
