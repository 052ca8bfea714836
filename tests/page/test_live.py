"""Captions of what a camera sees, again and again. The camera is Chromium's, which plays a film of two photos."""

import base64
import io
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from support.film import write_film
from support.samples import PHOTOS
from support.web import captions, launch, open_page

TWO = (PHOTOS / "surfer-on-big-wave.jpg", PHOTOS / "photographer-with-tripod-black-and-white.jpg")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("camera") / "two-photos.mjpeg"
    write_film(path, TWO, (480, 360))
    return path


@pytest.fixture(scope="module")
def camera(film, browser):
    other = launch(browser.browser_type, f"--use-file-for-fake-video-capture={film}")
    yield other
    other.close()


@pytest.fixture
def live(camera, address):
    """A page that is live."""
    with open_page(camera, address, permissions=["camera"]) as page:
        page.evaluate("""() => {
            const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async (wanted) => (window.stream = await open(wanted));
        }""")
        page.locator(".go-live").click()
        expect(page.locator(".said-live")).not_to_be_empty()
        yield page


def lights(page: Page) -> bool:
    """Whether the camera's light is on."""
    return page.evaluate("window.stream.getTracks().some(track => track.readyState === 'live')")


def goes_out(page: Page) -> None:
    """Waits for the camera's light to go out: a dialog that the browser closes says so to its page a moment later."""
    page.wait_for_function("window.stream.getTracks().every(track => track.readyState === 'ended')")


def frames(page: Page) -> list:
    """Collects the requests with frames from now on."""
    sent = []
    page.on("request", lambda request: urlsplit(request.url).path == "/live" and sent.append(request))
    return sent


def test_captions_change_with_the_picture_and_are_those_of_the_captioner(live, captioner):
    live.evaluate("""() => {   // keeps the frames and their answers, and what is shown
        const ask = window.fetch;
        window.asked = [];
        window.fetch = async (address, options) => {
            const response = await ask(address, options);
            const bytes = new Uint8Array(await options.body.arrayBuffer());
            window.asked.push([btoa(String.fromCharCode(...bytes)), await response.clone().json()]);
            return response;
        };
        const said = document.querySelector('.said-live');
        window.shown = [];
        new MutationObserver(() => window.shown.push(said.textContent.trim())).observe(said, { childList: true });
    }""")
    live.wait_for_function("""() => {
        const said = new Set(window.asked.map(([, item]) => item.captions[0].words.map(({ text }) => text).join(' ')));
        return window.asked.length >= 15 && new Set(window.shown.filter(text => said.has(text))).size >= 2;
    }""")
    frames, items = zip(*live.evaluate("window.asked"), strict=True)
    frames = [base64.b64decode(frame) for frame in frames[:15]]
    said = [" ".join(word["text"] for word in item["captions"][0]["words"]) for item in items]
    assert said[:15] == [captioner(frame).text for frame in frames]
    assert Image.open(io.BytesIO(frames[0])).size == (256, 256)
    assert len(set(live.evaluate("window.shown")) & set(said)) >= 2


def test_a_frozen_frame_is_a_photo_like_any_other(live):
    sent = frames(live)
    live.locator(".freeze").click()
    [caption] = captions(live, 1)
    assert len(caption.split()) > 3
    expect(live.locator(".on-air")).to_be_hidden()
    expect(live.locator(".player .words button").first).to_be_visible()
    expect(live.locator(".card[aria-current=true]")).to_have_count(1)
    goes_out(live)
    sent.clear()
    live.wait_for_timeout(600)
    assert sent == []
    live.locator(".tools button", has_text="Other captions").click()
    expect(live.locator(".choices button")).to_have_count(3)


@pytest.mark.parametrize("how", ["Close", "Escape", "hidden"])
def test_the_camera_goes_off(live, how):
    assert lights(live)
    if how == "Close":
        live.locator(".end").click()
    elif how == "Escape":
        live.keyboard.press("Escape")
    else:
        live.evaluate("""() => {
            Object.defineProperty(document, 'hidden', { value: true, configurable: true });
            document.dispatchEvent(new Event('visibilitychange'));
            delete document.hidden;
        }""")
        expect(live.locator(".trouble")).to_contain_text("the page was hidden")
    expect(live.locator(".on-air")).to_be_hidden()
    goes_out(live)
    sent = frames(live)
    live.wait_for_timeout(600)
    assert sent == []
    if how == "Escape":
        expect(live.locator(".go-live")).to_be_focused()
        live.keyboard.press("Enter")  # again
        expect(live.locator(".said-live")).not_to_be_empty()


def test_an_unplugged_camera(live):
    live.evaluate("window.stream.getTracks().forEach(track => track.dispatchEvent(new Event('ended')))")
    expect(live.locator(".trouble")).to_contain_text("The camera is gone")
    expect(live.locator(".on-air")).to_be_hidden()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("NotAllowedError", "may not use the camera"),
        ("NotFoundError", "No camera was found"),
        ("NotReadableError", "does not start"),
        (None, "secure pages"),
    ],
)
def test_no_camera(page, error, said):
    page.evaluate(
        """error => Object.defineProperty(navigator, 'mediaDevices', { value: error && {
            getUserMedia: async () => { throw new DOMException('', error); } } })""",
        error,
    )
    page.locator(".go-live").click()
    expect(page.locator(".trouble")).to_contain_text(said)
    assert page.locator(".trouble").inner_text().count(".") == 1  # one sentence
    expect(page.locator(".on-air")).to_be_hidden()


def test_a_server_that_is_gone_is_asked_again(live):
    live.route("**/live?*", lambda route: route.fulfill(body="gone"))
    expect(live.locator(".live-note")).to_contain_text("does not answer")
    live.unroute("**/live?*")
    expect(live.locator(".live-note")).to_be_empty()


def test_one_frame_is_on_its_way_at_a_time(live):
    held = []
    live.route("**/live?*", lambda route: held.append(route))
    for _ in range(100):
        live.wait_for_timeout(100)
        if held:
            break
    live.wait_for_timeout(700)
    assert len(held) == 1
    held.pop().continue_()
    live.unroute("**/live?*")


def test_it_fits_the_screen_and_can_fill_it(live):
    for width, height in ((390, 844), (1280, 720), (1920, 1080)):
        live.set_viewport_size({"width": width, "height": height})
        for part in (".window", ".said-live", ".freeze"):
            box = live.locator(f".on-air {part}").bounding_box()
            assert min(box["x"], box["y"]) >= 0
            assert box["x"] + box["width"] <= width + 1
            assert box["y"] + box["height"] <= height + 1
    live.keyboard.press("f")
    live.wait_for_function("document.fullscreenElement?.matches('.screen')")


def test_nothing_glides_for_those_who_prefer_that(camera, address):
    with open_page(camera, address, permissions=["camera"], reduced_motion="reduce") as page:
        page.locator(".go-live").click()
        expect(page.locator(".said-live")).not_to_be_empty()
        page.wait_for_timeout(700)
        expect(page.locator(".said-live .now")).to_have_count(0)
