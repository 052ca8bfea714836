"""HTML pages that hold the player: what the page that plays offline and those without a server have in common."""

import html
import json
from collections.abc import Sequence
from string import Template

from capmodel.output.player import PLAYER, PlayerFiles

TITLE = "Watch a network look"
INVITATION = (
    "Drop in photos, ten or more at once. A small neural network writes a caption for each. "
    "Point at a word to see where in the photo the network looked when it wrote that word."
)


def html_page(
    files: PlayerFiles,
    data: dict,
    scripts: str,
    *,
    policy: str,
    paragraphs: Sequence[str] = (),
    head: str = "",
    footer: str = "",
) -> str:
    """A page with the player in ``<main id="player">``.

    Args:
        files: the player's.
        data: what a script finds as JSON in ``<script id="data">``.
        scripts: script elements, HTML.
        policy: of the Content-Security-Policy, all that is allowed.
        paragraphs: texts above the player.
        head: more elements of the head, HTML.
        footer: what stands below the player, HTML.
    """
    template = Template((PLAYER / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=TITLE,
        policy=policy,
        head=head,
        css=files.css,
        invitation="\n".join(f'<p class="invitation">{html.escape(text)}</p>' for text in paragraphs),
        html=files.html,
        footer=footer,
        data=in_script(data),
        scripts=scripts,
    )


def in_script(value: object) -> str:
    """JSON for use inside <script>: escapes "<", which could end the script, since file names may contain anything."""
    return json.dumps(value).replace("<", "\\u003c")
