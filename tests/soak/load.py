"""A load test of the page: several visitors with several photos each, all at once, on this machine only.

    python -m tests.soak.load                     # 8 visitors with 12 photos each
    python -m tests.soak.load --visitors 3 --photos 4
    python -m tests.soak.load --uploads 100       # 100 photos of 12 megapixels, without browsers; then SIGTERM

Each visitor is a page in headless Chromium. Every photo is of its own; what each card says is compared with
what the captioner says of that photo, so nothing may be lost or swapped. Prints one JSON object.

With --uploads, the page is opened again and again while the photos are on their way (`slowest_look`, in seconds). Then
as many are sent once more, and the server is ended by SIGTERM in the middle: no file may be `left`.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageOps

from capmodel import Captioner
from capmodel.photos.folders import list_photos
from capmodel.resources import PHOTOS
from tests.benchmarks.page import browser_pages
from tests.soak.uploads import peak_memory, run_uploads
from tests.support.servers.page import serve_page

LONGEST = 600  # seconds, after which it gives up


def make_photos(folder: Path, count: int) -> list[Path]:
    """So many different photos: the example photos, mirrored and cut in different ways."""
    sources = list_photos(PHOTOS)
    paths = []
    for number in range(count):
        turn, source = divmod(number, len(sources))
        with Image.open(sources[source]) as image:
            if turn % 2:
                image = ImageOps.mirror(image)
            margin = 12 * turn
            image = image.crop((margin, margin, image.width - margin, image.height - margin))
            paths.append(folder / f"{number:03d}.jpg")
            image.save(paths[-1], quality=92)
    return paths


def run(visitors: int, each: int) -> dict:
    """Runs the test; the result says how many captions came, how many were wrong, and the server's peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        photos = make_photos(Path(folder), visitors * each)
        shares = [photos[first : first + each] for first in range(0, len(photos), each)]
        expected = [
            [caption.text for caption in Captioner.from_pretrained(precision="fp32")(share)] for share in shares
        ]
        with serve_page() as (address, server), browser_pages(address, visitors) as pages:
            began = time.monotonic()
            for page, share in zip(pages, shares, strict=True):
                page.set_input_files(".root .files", share)
            found = []
            for page in pages:
                left = LONGEST - (time.monotonic() - began)
                page.wait_for_function(
                    "count => document.querySelectorAll('.card:not(.waiting)').length === count",
                    arg=each,
                    timeout=1000 * max(1, left),
                )
                found.append(page.locator(".card p").all_inner_texts())
            seconds = time.monotonic() - began
            peak = peak_memory(server.pid)
    pairs = [pair for mine, theirs in zip(found, expected, strict=True) for pair in zip(mine, theirs, strict=True)]
    return {
        "visitors": visitors,
        "photos": len(pairs),
        "wrong": sum(one != other for one, other in pairs),
        "seconds": round(seconds, 1),
        "peak_megabytes": round(peak / 1e6),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=8)
    parser.add_argument("--photos", type=int, default=12, help="of each visitor")
    parser.add_argument("--uploads", type=int, help="instead: so many photos at once")
    options = parser.parse_args(arguments)
    found = run_uploads(options.uploads) if options.uploads else run(options.visitors, options.photos)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
