"""Live in the page without a server. The camera is Chromium's own, which shows a test picture."""

from playwright.sync_api import expect
from support.web import captions, open_page


def test_live_and_a_frozen_frame(browser, site_address):
    with open_page(browser, site_address, permissions=["camera"]) as page:
        page.locator(".go-live").click()
        expect(page.locator(".said-live")).not_to_be_empty(timeout=60_000)
        expect(page.locator(".live-note")).to_be_empty()
        page.locator(".freeze").click()
        [caption] = captions(page, 1)
        assert len(caption.split()) > 2
        expect(page.locator(".player .words button").first).to_be_visible()
