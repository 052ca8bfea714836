"""What the folder with the page and the page in one file have in common: what their player is given."""

import html
import re
from collections.abc import Callable, Sequence

from capmodel.output.html_page import INVITATION
from capmodel.output.page_value import page_value
from capmodel.output.player import BROWSER_ENGINE
from capmodel.resources import PHOTOS as EXAMPLES

SCRIPTS = ("site/served.js", "site/single.js", *BROWSER_ENGINE)  # besides those of every page
WORKER = "engines/browser/worker.js"
PHOTO_BYTES = 100_000_000  # of the largest file that is taken
PHOTOS = 1000  # that the page holds
SMALL = (
    "To be half as large, this edition stores the network's weights in 8 bits, so some of its captions "
    "differ from those of the published model."
)
# Author, licence and its address in a line of CREDITS.md.
_CREDIT = re.compile(r"^\| `[^`]+` \| [^|]+ \| ([^|]+) \| \[([^]]+)\]\(([^)]+)\)", re.MULTILINE)


def value_for(described: dict, samples: Sequence[dict]) -> dict:
    """The player's ``PageValue``.

    Args:
        described: the content of ``captioner.json``.
        samples: the example photos, with pictures.
    """
    return page_value(
        samples,
        list(described["kinds"]),
        image_size=described["sizes"]["image"],
        photo_bytes=PHOTO_BYTES,
        photos=PHOTOS,
        retention_minutes=None,
    )


def paragraphs(small: bool) -> list[str]:
    """Texts above the player."""
    return [INVITATION, *([SMALL] if small else [])]


def with_pictures(
    samples: Sequence[dict], picture: Callable[[str], str], thumbnail: Callable[[str], str]
) -> list[dict]:
    """The samples with the addresses of their pictures, by their file's name."""
    return [
        {**sample, "image": {"url": picture(sample["file"])}, "thumbnail": {"url": thumbnail(sample["file"])}}
        for sample in samples
    ]


def credits_footer() -> str:
    """Whose example photos must be credited, and their licences: those that are not in the public domain (CC0)."""
    rows = _CREDIT.findall((EXAMPLES / "CREDITS.md").read_text(encoding="utf-8"))
    credits = [
        f'{html.escape(author)} (<a href="{html.escape(address)}">{html.escape(licence)}</a>)'
        for author, licence, address in rows
        if not licence.startswith("CC0")
    ]
    return f"<footer>Example photos by {', '.join(credits)} and others (CC0); scaled down.</footer>"
