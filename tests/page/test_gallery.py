"""The example photos, and the section "Where it works, where it fails"."""

import json

import pytest
from playwright.sync_api import expect
from support.samples import PHOTOS
from support.web import captions

GALLERY = json.loads((PHOTOS.parent / "gallery.json").read_text(encoding="utf-8"))["photos"]


def test_one_example_is_one_click_away(page, captioner):
    page.locator(".strip button").nth(3).click()
    assert captions(page, 1) == [captioner([PHOTOS / GALLERY[3]["file"]])[0].text]
    page.locator(".strip button").nth(3).click()  # it is there already
    assert len(captions(page, 1)) == 1


def test_all_examples_are_one_click_away(page):
    expect(page.locator(".all")).to_have_text("Try all 28")
    page.locator(".all").click()
    assert captions(page, 28) == [photo["caption"] for photo in GALLERY]
    page.wait_for_function("[...document.querySelectorAll('.card img')].length === 28")


def test_a_remark_opens_where_one_asks_for_it(page):
    case = page.locator(".case").first
    expect(case.locator(".remark")).to_be_hidden()
    case.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(case.locator(".remark")).to_be_visible()
    page.locator(".case summary").nth(1).click()
    expect(case.locator(".remark")).to_be_hidden()  # one at a time


def test_where_it_works_and_where_it_fails(page):
    cases = page.locator(".case")
    assert cases.count() >= 12
    for entry in [entry for entry in GALLERY if entry["remark"]]:
        case = cases.filter(has_text=entry["remark"])
        expect(case).to_have_count(1)
        expect(case).to_contain_text(entry["description"])
        expect(case).to_contain_text(entry["caption"])
    assert {"right", "wrong"} <= set(page.locator(".case .outcome").all_inner_texts())
    cases.first.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.case img').naturalWidth > 100")
    cases.first.locator("button").click()
    assert captions(page, 1) == [next(entry["caption"] for entry in GALLERY if entry["remark"])]


@pytest.mark.parametrize("width", [390, 1280])
def test_a_first_visitor_sees_no_panel(page, width):
    """Calm: photos, captions, one player, a play button; the rest opens where it is needed."""
    page.set_viewport_size({"width": width, "height": 900})
    page.locator(".strip button").first.click()
    captions(page, 1)
    expect(page.locator(".play")).to_be_visible()
    expect(page.locator(".panel")).to_be_hidden()
    expect(page.locator(".cells")).to_be_hidden()
