"""A reload and the back button keep the photos, or the page says that they are gone."""

from playwright.sync_api import expect
from support.samples import PHOTOS
from support.web import captions, open_context, upload, visit

TWO = [PHOTOS / "soccer-players.jpg", PHOTOS / "cat-face-close-up.jpg"]
STORED = "JSON.stringify({ ...sessionStorage })"


def test_a_reload_keeps_photos_and_examples(page):
    upload(page, TWO)
    captions(page, 2)
    page.locator(".strip button").first.click()
    before = captions(page, 3)
    assert page.evaluate(STORED) == "{}"  # while the page is seen, there is nothing to copy
    page.reload()
    assert captions(page, 3) == before
    expect(page.locator(".card img")).to_have_count(3)
    page.locator(".card .pick").first.click()
    page.wait_for_function("document.querySelector('.frame img').naturalWidth > 400")  # sharp, too
    page.locator(".tools button", has_text="Other captions").click()
    expect(page.locator(".choices button")).to_have_count(3)


def test_back_again(page, address):
    upload(page, TWO[0])
    before = captions(page, 1)
    page.goto("about:blank")
    page.goto(address)
    assert captions(page, 1) == before


def test_only_names_and_keys_are_noted(page):
    upload(page, TWO[0])
    captions(page, 1)
    page.evaluate("dispatchEvent(new Event('pagehide'))")
    noted = page.evaluate("JSON.parse(Object.values(sessionStorage)[0])")
    assert set(noted) == {"kept", "attention"}
    assert [set(each) for each in noted["kept"]] == [{"name", "key", "sample"}]
    assert len(str(noted)) < 300


def test_what_is_gone_is_said_to_be(page):
    upload(page, TWO[0])
    captions(page, 1)
    page.evaluate("""() => {   // as if the server had deleted it meanwhile
        const change = () => {
            for (const [name, text] of Object.entries(sessionStorage))
                sessionStorage.setItem(name, text.replace(/-[0-9a-f]{64}/, '-' + '0'.repeat(64)));
        };
        addEventListener('pagehide', change);
        document.addEventListener('visibilitychange', change);
    }""")
    page.reload()
    expect(page.locator(".note")).to_contain_text("1 photo of before this page was loaded again is gone")
    expect(page.locator(".card")).to_have_count(0)


def test_another_tab_has_nothing_of_it(browser, address):
    with open_context(browser) as context, visit(context, address) as page:
        upload(page, TWO[0])
        captions(page, 1)
        with page.expect_popup() as popup:  # which gets a copy of the tab's storage
            page.evaluate("open(location.href)")
        popup.value.wait_for_selector(".root.ready .choose", state="attached")
        popup.value.wait_for_timeout(500)
        expect(popup.value.locator(".card")).to_have_count(0)
        popup.value.close()


def test_cleared_is_cleared(page):
    upload(page, TWO[0])
    captions(page, 1)
    page.locator(".clear").click()
    page.reload()
    page.wait_for_selector(".root.ready")
    page.wait_for_timeout(300)
    expect(page.locator(".card")).to_have_count(0)
