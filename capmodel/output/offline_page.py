"""The page that plays offline: the player, photos and captions in one HTML file."""

import json
from collections.abc import Iterable
from pathlib import Path
from string import Template

from capmodel.caption import CaptionedPhoto
from capmodel.output.overlay import SHOWN_SIDE, to_data_url
from capmodel.output.player import player_files, player_item
from capmodel.resources import ASSETS


def save_html(photos: Iterable[CaptionedPhoto], path: Path) -> None:
    """The page's own player with these photos in it: one file that needs no server and no network."""
    path.write_text(offline_page([offline_item(photo) for photo in photos]), encoding="utf-8")


def offline_item(photo: CaptionedPhoto) -> dict:
    return {**player_item("", photo.name, photo.captions), "image": {"url": to_data_url(photo.pixels, SHOWN_SIDE)}}


def offline_page(items: list[dict]) -> str:
    files = player_files()
    # Inside <script>, "<" is what could end it: a file name may hold anything.
    data = json.dumps({"items": items}).replace("<", "\\u003c")
    template = Template((ASSETS / "offline.html").read_text(encoding="utf-8"))
    return template.substitute(html=files.html, css=files.css, js=files.js, data=data)
