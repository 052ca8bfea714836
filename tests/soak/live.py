"""Live for a while, with a film of two example photos for a camera: how quick is it, and does its memory stay flat?

    python -m capmodel.browser site --out site
    python -m tests.soak.live --site site                      # in the browser, one thread
    python -m tests.soak.live --site site --isolated           # with the headers that allow it threads
    python -m tests.soak.live --minutes 1                      # through the server: app.py

Prints a line every 15 seconds: captions and pictures a second, megabytes of the page's process and of its JavaScript. Linux
only, for memory is read in /proc.
"""

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from capmodel.resources import PHOTOS
from tests.soak.report import memory_of
from tests.support.chromium import launch
from tests.support.film import write_film
from tests.support.servers.folder import serve_folder
from tests.support.servers.page import serve_page

INTERVAL = 15  # seconds
WARM_UP = 5
COUNT = """() => {   // frames that were asked about, and pictures that were shown
    window.asked = window.shown = 0;
    const [post, ask] = [Worker.prototype.postMessage, window.fetch];
    Worker.prototype.postMessage = function (message, ...rest) {
        window.asked += message.question === 'frame';
        return post.call(this, message, ...rest);
    };
    window.fetch = (address, ...rest) => {
        window.asked += String(address).startsWith('live?');
        return ask(address, ...rest);
    };
}"""
WATCH = """() => {
    const video = document.querySelector('.on-air video');
    const next = () => { window.shown += 1; video.requestVideoFrameCallback(next); };
    next();
}"""


def measure(page: Page, process: int) -> str:
    """What happens within the next seconds."""
    session = page.context.new_cdp_session(page)
    read = "[window.asked, window.shown, performance.now() / 1000]"
    before = page.evaluate(read)
    page.wait_for_timeout(1000 * INTERVAL)
    asked, shown, seconds = (now - then for now, then in zip(page.evaluate(read), before, strict=True))
    session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    rates = f"{asked / seconds:5.2f} captions/s  {shown / seconds:5.1f} pictures/s"
    return f"{rates}  {memory_of(process) / 1e6:6.0f} MB  {heap / 1e6:5.1f} MB of JavaScript"


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument(
        "--site", type=Path, metavar="FOLDER", help="in the browser: what `capmodel.browser site` wrote"
    )
    parser.add_argument("--isolated", action="store_true", help="serve the site so that it may use threads")
    options = parser.parse_args()
    with ExitStack() as stack:
        film = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "film.mjpeg"
        photos = (PHOTOS / "surfer-on-big-wave.jpg", PHOTOS / "photographer-with-tripod-black-and-white.jpg")
        write_film(film, photos, (640, 480))
        if options.site:
            address = stack.enter_context(serve_folder(options.site, options.isolated))
        else:
            address, _ = stack.enter_context(serve_page())
        playwright = stack.enter_context(sync_playwright())
        browser = launch(playwright.chromium, f"--use-file-for-fake-video-capture={film}")
        stack.callback(browser.close)
        page = browser.new_context(permissions=["camera"]).new_page()
        page.goto(address)
        page.evaluate(COUNT)
        page.locator(".go-live").click()
        page.locator(".said-live:not(:empty)").wait_for(timeout=120_000)
        page.evaluate(WATCH)
        page.wait_for_timeout(1000 * WARM_UP)
        processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
        renderer = max((each["id"] for each in processes if each["type"] == "renderer"), key=memory_of)
        for _ in range(max(1, round(60 * options.minutes / INTERVAL))):
            print(measure(page, renderer), flush=True)


if __name__ == "__main__":
    main()
