"""For everyone: keys alone, screen readers, contrast, motion, light and dark, narrow and wide."""

import pytest
from playwright.sync_api import expect
from support.access import serious
from support.samples import PHOTOS
from support.web import captions, count_changes, open_page, upload

PANELS = ["Other words", "Other captions", "Did it really look there?", "Guess where", "Ways to attend", "Save"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, address, theme):
    with open_page(browser, f"{address}?__theme={theme}", reduced_motion="reduce", color_scheme=theme) as page:
        assert serious(page) == []
        upload(page, [PHOTOS / "soccer-players.jpg", PHOTOS / "penguin-on-snow.jpg"])
        captions(page, 2)
        for name in PANELS:
            page.locator(".tools button", has_text=name).click()
            expect(page.locator(".panel")).to_be_visible()
            if name.startswith("Did"):
                page.locator(".panel .hide").click()
                expect(page.locator(".verdict")).to_be_visible(timeout=20_000)
            if name.startswith("Ways"):
                expect(page.locator(".way")).to_have_count(3)
            assert serious(page) == [], name
        page.locator(".tools button", has_text="Save").click()
        page.locator(".raw").click()
        assert serious(page) == []
        page.locator("body").press("f")
        expect(page.locator(".player.fills")).to_be_visible()
        assert serious(page) == []


@pytest.mark.parametrize("width", [360, 768, 1280, 2560])
def test_nothing_is_wider_than_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    upload(page, [PHOTOS / "beach-skyline-panorama.jpg", PHOTOS / "dog-jumping-over-rocks.jpg"])
    captions(page, 2)
    for name in PANELS:
        page.locator(".tools button", has_text=name).click()
        if name.startswith("Ways"):
            expect(page.locator(".way")).to_have_count(3)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        small = page.evaluate("""() => [...document.querySelectorAll('.root button')]
            .filter(each => !each.closest('.cells') && each.checkVisibility())
            .filter(each => Math.min(each.offsetWidth, each.offsetHeight) < 24).map(each => each.outerHTML)""")
        assert small == []


def test_keys_alone_do_everything(page):
    upload(page, PHOTOS / "surfer-standing-on-beach.jpg")
    captions(page, 1)

    def go_to(selector: str) -> None:
        for _ in range(120):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
                return
        pytest.fail(f"The tab key never reaches {selector}.")

    go_to(".play")
    outline = page.locator(".play").evaluate("each => getComputedStyle(each).outlineStyle")
    assert outline == "solid"  # one sees where one is
    go_to(".words button")
    page.keyboard.press("ArrowRight")
    go_to(".raw")
    page.keyboard.press("Enter")
    expect(page.locator(".cells")).to_be_visible()
    page.keyboard.press("Enter")
    go_to(".tools button:nth-child(1)")
    page.keyboard.press("Enter")
    go_to(".chips button")
    page.keyboard.press("Enter")
    expect(page.locator(".undo")).to_be_visible()
    go_to(".undo")
    page.keyboard.press("Enter")
    expect(page.locator(".undo")).to_have_count(0)
    go_to(".card .pick")
    go_to(".card .remove")
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(0)
    assert page.evaluate("document.activeElement.matches('.choose')")  # the focus is not lost


def test_a_screen_reader_hears_captions_as_they_come(page):
    page.evaluate("""() => {
        window.heard = [];
        const live = document.querySelector('.live[role=status]');
        new MutationObserver(() => window.heard.push(live.textContent)).observe(live, { childList: true });
    }""")
    upload(page, sorted(PHOTOS.glob("*.jpg"))[:4])
    read = captions(page, 4)
    heard = [text.partition(": ") for text in page.evaluate("window.heard")]
    assert [before for before, _, _ in heard] == [f"{done} of 4" for done in range(1, 5)]
    assert sorted(caption for _, _, caption in heard) == sorted(read)


def test_nothing_moves_for_those_who_prefer_that(page):
    upload(page, PHOTOS / "surfer-standing-on-beach.jpg")
    captions(page, 1)
    page.locator(".card .pick").click()
    expect(page.locator(".play")).to_have_attribute("aria-label", "Play")  # it does not start by itself
    assert count_changes(page, ".player canvas") <= 2
