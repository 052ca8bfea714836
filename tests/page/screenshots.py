"""Renews the README's pictures of the page, after the model or the page has changed.

pip install -r tests/requirements.txt   # a browser is needed too: apt install chromium-headless-shell
python -m tests.page.screenshots
"""

import io
import json

from PIL import Image
from playwright.sync_api import Page

from capmodel import Captioner
from capmodel.output.animation import save_gif
from capmodel.photos import load_photo
from capmodel.resources import ASSETS, PHOTOS
from tests.benchmarks.page import browser_pages
from tests.support.servers.page import serve_page

PICTURES = ASSETS / "readme"
COUNT = 12  # photos on the page
WORD = 1  # of the caption, shown in the player


def shoot(page: Page, name: str, width: int) -> None:
    """Saves what is seen, so many pixels wide."""
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    image.resize((width, round(width * image.height / image.width)), Image.Resampling.LANCZOS).save(
        PICTURES / f"{name}.webp", quality=82
    )
    print(PICTURES / f"{name}.webp")


def main() -> None:
    gallery = json.loads((ASSETS / "gallery.json").read_text(encoding="utf-8"))["photos"]
    photos = [PHOTOS / photo["file"] for photo in gallery[:COUNT]]
    with serve_page() as (address, _), browser_pages(address, 1) as [page]:
        page.emulate_media(reduced_motion="reduce")  # nothing moves while it is photographed
        page.set_input_files(".root .files", photos)
        page.wait_for_function(
            "count => document.querySelectorAll('.card:not(.waiting)').length === count", arg=COUNT, timeout=60_000
        )
        page.wait_for_selector(".player .words button")
        page.locator(".words button").nth(WORD).click()
        page.locator(".tools button", has_text="Other words").click()
        page.locator(".intake").evaluate("node => window.scrollTo(0, node.getBoundingClientRect().top + scrollY - 14)")
        page.wait_for_timeout(500)
        shoot(page, "page", 1280)
        page.locator(".tools button", has_text="Ways").click()
        page.wait_for_selector(".way")
        page.keyboard.press("f")
        page.wait_for_timeout(500)
        shoot(page, "full-screen", 960)
    save_gif(
        load_photo(photos[0]), Captioner.from_pretrained(precision="fp32")(photos[:1])[0], PICTURES / "attention.gif"
    )


if __name__ == "__main__":
    main()
