"""The pages that caption without a server, as their visitors use them."""

import json
import re
from contextlib import contextmanager

import pytest
from playwright.sync_api import BrowserContext, Route, expect
from support.access import serious
from support.samples import PHOTOS
from support.servers.folder import serve_folder
from support.web import captions, open_context, open_page, upload, visit

from capmodel.captioner import Captioner
from capmodel.decoding.options import DecodeOptions

DOG, TODDLER = PHOTOS / "dachshund-in-snow.jpg", PHOTOS / "toddler-with-teddy-bear.jpg"


def hold(context: BrowserContext) -> list[Route]:
    """Lets the download of the captioner wait, as on a slow line. Returns what waits."""
    held: list[Route] = []
    context.route("**/captioner/*/encoder.onnx", lambda route: held.append(route))
    return held


@contextmanager
def served(kind: str, site, single):
    """The address of the site without or with isolation, or of the single file."""
    if kind == "single":
        yield single.as_uri()
    else:
        with serve_folder(site, isolated=kind == "isolated") as address:
            yield address


@pytest.mark.parametrize("kind", ["plain", "isolated", "single"])
def test_photos_from_files_get_the_captions_of_pytorch(browser, site, single, captioner: Captioner, kind):
    expected = captioner(TODDLER)
    with served(kind, site, single) as address, open_page(browser, address, reduced_motion="reduce") as page:
        assert page.evaluate("self.crossOriginIsolated") == (kind == "isolated")
        upload(page, TODDLER)
        assert captions(page, 1) == [expected.text]
        expect(page.locator(".words button")).to_have_text([word.text for word in expected.words])
        page.locator(".raw").click()
        cells = [float(cell) for cell in page.locator(".cells button").all_inner_texts()]
        assert cells == pytest.approx((expected.words[0].weights * 64).ravel().tolist(), abs=0.051)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "isolated", "single"])
def test_all_photos_get_the_captions_of_pytorch(browser, site, single, captioner: Captioner, kind):
    photos = sorted(PHOTOS.glob("*.jpg"))
    with served(kind, site, single) as address, open_page(browser, address, reduced_motion="reduce") as page:
        upload(page, photos)
        found = captions(page, len(photos))
    assert found == [caption.text for caption in captioner(photos)]


def test_examples_are_captioned_before_the_captioner_is_there(browser, site_address, captioner: Captioner):
    with open_context(browser, reduced_motion="reduce") as context:
        held = hold(context)
        with visit(context, site_address) as page:
            page.get_by_text("Try all 28").click()
            found = captions(page, 28)
            names = page.locator(".card .remove").evaluate_all("all => all.map(each => each.ariaLabel)")
            photos = [PHOTOS / name.removeprefix("Remove ") for name in names]
            assert found == [caption.text for caption in captioner(photos)]
            expect(page.locator(".words button")).not_to_have_count(0)
            expect(page.locator(".loading")).to_be_visible()
            expect(page.locator(".loading span")).to_have_text(re.compile(r"Loading the captioner: \d+ of 61 MB"))
            upload(page, DOG)
            expect(page.locator(".card.waiting")).to_have_count(1)
            for route in held:
                route.continue_()
            expect(page.locator(".card.waiting")).to_have_count(0, timeout=60_000)
            expect(page.locator(".loading")).to_be_hidden()


def test_what_the_player_asks_is_answered_in_the_browser(browser, site_address, captioners: list[Captioner]):
    captioner = captioners[0]
    grid = captioner.encode([captioner.load_square(TODDLER)])
    with open_page(browser, site_address, reduced_motion="reduce") as page:
        page.locator(f".strip [src$='{TODDLER.stem}.webp']").click()
        own = captioner.describe(grid)[0][0]
        assert captions(page, 1) == [own.text]

        page.locator(".tools button", has_text="Other captions").click()
        for other in captioner.describe(grid, DecodeOptions(candidates=3))[0]:
            expect(page.locator(".panel")).to_contain_text(other.text, timeout=60_000)

        page.locator(".tools button", has_text="Other words").click()
        other, _ = own.words[0].alternatives[0]
        page.locator(".panel button.chip").first.click()
        steered = captioner.describe(grid, prefixes=[other])[0][0]
        expect(page.locator(".words button")).to_have_text([word.text for word in steered.words])

        page.locator(".tools button", has_text="Ways to attend").click()
        for kind in captioners[1:]:
            expect(page.locator(".ways")).to_contain_text(kind.describe(grid)[0][0].text, timeout=60_000)


@pytest.mark.parametrize("isolated", [False, True])
def test_it_works_without_a_network_after_the_first_visit(browser, site, isolated):
    with serve_folder(site, isolated) as address, open_context(browser, reduced_motion="reduce") as context:
        with visit(context, address) as page:
            upload(page, DOG)
            [expected] = captions(page, 1)
            page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        context.set_offline(True)
        context.route("http://**", lambda route: route.abort())  # the service worker's own requests, too
        page = context.new_page()
        page.goto(address)
        expect(page.locator(".strip img").first).to_be_visible()
        assert page.evaluate("self.crossOriginIsolated") == isolated  # the headers are kept, too
        page.locator(".strip button").nth(3).click()
        page.wait_for_selector(".frame img")
        upload(page, DOG)
        expect(page.locator(".card:not(.waiting)")).to_have_count(2, timeout=60_000)
        assert page.locator(".card p").all_inner_texts()[1] == expected
        page.close()


def test_an_old_version_leaves_the_browser(browser, site):
    with serve_folder(site) as address, open_context(browser) as context:
        page = context.new_page()
        page.goto(f"{address}page/")  # another page of the same server
        others = [
            f"capmodel {address} page 1",
            f"capmodel {address} captioner 1",
            f"capmodel {address}other/ page 1",
            "x",
        ]
        page.evaluate("names => Promise.all(names.map(name => caches.open(name))).then(() => true)", others)
        page.goto(address)
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.wait_for_timeout(300)
        kept = page.evaluate("caches.keys()")
        assert set(others[2:]) <= set(kept)
        assert not set(others[:2]) & set(kept)
        page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_for_everyone(browser, site_address, theme):
    with open_context(browser, reduced_motion="reduce", color_scheme=theme) as context:
        hold(context)
        with visit(context, site_address) as page:
            expect(page.locator(".privacy")).to_contain_text("never leave this device")
            expect(page.locator(".loading")).to_be_visible()
            assert serious(page, "body") == []
            for _ in range(2):
                for width in (390, 1280, 1920):
                    page.set_viewport_size({"width": width, "height": 900})
                    assert page.evaluate("document.documentElement.scrollWidth") <= width
                page.locator(".strip button").first.click()
                captions(page, 1)
            assert serious(page, "body") == []


def test_every_file_has_a_version_in_its_path_but_the_page(site):
    for file in site.rglob("*"):
        if file.is_file() and file.name not in ("index.html", "service-worker.js"):
            assert re.match(r"(page|captioner)/[0-9a-f]{16}/", file.relative_to(site).as_posix())
    html = (site / "index.html").read_text()
    assert not re.search(r"""(?<!<a )\b(?:src|href)=["']https?:""", html)
    for owner in ("Peter Wadsworth", "Rainer Spickmann"):  # whose licences ask for it
        assert owner in html
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html)[1])
    for name in ("model", "script"):
        assert (site / data["captioner"][name]).is_file()
