"""Takes captions home: a sheet, a GIF, a video, the numbers, a page that plays offline, or all of it in one zip."""

import csv
import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from string import Template

import numpy as np

from .animation import save_gif, save_mp4
from .captioner import Caption
from .player import ASSETS, player_files, player_item
from .render import as_address, save_figure, times_uniform

SHOWN_SIDE = 1280  # longer side of the photos in the offline page, in pixels
ALTERNATIVES = 5  # columns of the table

Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Exhibit:
    """A captioned photo.

    Attributes:
        name: the photo's file name, as its owner wrote it.
        photo: RGB uint8 (height, width, 3).
        captions: best first, at least one.
    """

    name: str
    photo: np.ndarray
    captions: list[Caption]


def export(exhibits: Iterable[Exhibit], kind: str, path: Path, progress: Progress = lambda done: None) -> None:
    """Writes one file.

    Args:
        exhibits: read once, one at a time, so that their photos need not all be in memory.
        kind: "png", "gif" or "mp4" (of exactly one exhibit), "json", "csv", "html" or "zip".
        progress: told how many exhibits are done, after each.

    Raises:
        ValueError: there is no such kind, or the number of exhibits does not fit it.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no export {kind!r}; there is {', '.join(KINDS)}")
    KINDS[kind](_counted(exhibits, progress), path)


def save_json(exhibits: Iterable[Exhibit], path: Path) -> None:
    """A list of what the command line prints a photo, and the other ``candidates`` of its search."""
    path.write_text(json.dumps([_as_dict(exhibit) for exhibit in exhibits], indent=1), encoding="utf-8")


def save_csv(exhibits: Iterable[Exhibit], path: Path) -> None:
    """A table, a line a word of each photo's best caption.

    ``peak`` is the attention on the strongest cell, in times uniform; ``row`` and ``column`` (from 1,
    at the top left) say which cell that is.
    """
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # with the mark that spreadsheets look for
        writer = csv.writer(file)
        alternatives = [f"{what} {number + 1}" for number in range(ALTERNATIVES) for what in ("instead", "probability")]
        writer.writerow(["photo", "caption", "position", "word", "probability", "peak", "row", "column", *alternatives])
        for exhibit in exhibits:
            caption = exhibit.captions[0]
            for position, word in enumerate(caption.words, 1):
                row, column = np.unravel_index(word.weights.argmax(), word.weights.shape)
                peak = round(float(times_uniform(word.weights).max()), 3)
                others = [value for text, share in word.alternatives for value in (text, round(share, 4))]
                line = [caption.text, position, word.text, round(word.probability, 4), peak, row + 1, column + 1]
                writer.writerow([_harmless(exhibit.name), *line, *others])


def save_html(exhibits: Iterable[Exhibit], path: Path) -> None:
    """The page's own player with these photos in it: one file that needs no server and no network."""
    path.write_text(_offline_page([_offline_item(exhibit) for exhibit in exhibits]), encoding="utf-8")


def save_zip(exhibits: Iterable[Exhibit], path: Path) -> None:
    """The offline page, JSON and CSV of all photos, and a folder a photo with its sheet, GIF and video."""
    items, told = [], []
    with zipfile.ZipFile(path, "w") as archive, tempfile.TemporaryDirectory() as folder:

        def add(name: str, save: Callable[[Path], None]) -> None:
            file = Path(folder, Path(name).name)
            save(file)
            is_text = file.suffix in (".html", ".json", ".csv")
            archive.write(file, name, zipfile.ZIP_DEFLATED if is_text else zipfile.ZIP_STORED)

        for number, exhibit in enumerate(exhibits, 1):
            for name, save in (("sheet.png", save_figure), ("attention.gif", save_gif), ("attention.mp4", save_mp4)):
                add(
                    f"{number:03d}-{_plain(Path(exhibit.name).stem)}/{name}",
                    partial(save, exhibit.photo, exhibit.captions[0]),
                )
            items.append(_offline_item(exhibit))
            told.append(replace(exhibit, photo=exhibit.photo[:0]))  # only what is said: the photo may go
        add("captions.json", partial(save_json, told))
        add("captions.csv", partial(save_csv, told))
        add("photos.html", lambda file: file.write_text(_offline_page(items), encoding="utf-8"))


def _single(save: Callable[[np.ndarray, Caption, Path], None]) -> Callable[[Iterable[Exhibit], Path], None]:
    def save_single(exhibits: Iterable[Exhibit], path: Path) -> None:
        found = list(exhibits)
        if len(found) != 1:
            raise ValueError(f"this kind of file shows one photo, not {len(found)}")
        save(found[0].photo, found[0].captions[0], path)

    return save_single


KINDS: dict[str, Callable[[Iterable[Exhibit], Path], None]] = {
    "png": _single(save_figure),
    "gif": _single(save_gif),
    "mp4": _single(save_mp4),
    "json": save_json,
    "csv": save_csv,
    "html": save_html,
    "zip": save_zip,
}


def _counted(exhibits: Iterable[Exhibit], progress: Progress) -> Iterator[Exhibit]:
    for done, exhibit in enumerate(exhibits, 1):
        yield exhibit
        progress(done)


def _as_dict(exhibit: Exhibit) -> dict:
    best, *others = exhibit.captions
    return {"photo": exhibit.name, **best.as_dict(), "candidates": [other.as_dict() for other in others]}


def _offline_item(exhibit: Exhibit) -> dict:
    return {**player_item("", exhibit.name, exhibit.captions), "image": {"url": as_address(exhibit.photo, SHOWN_SIDE)}}


def _offline_page(items: list[dict]) -> str:
    files = player_files()
    # Inside <script>, "<" is what could end it: a file name may hold anything.
    data = json.dumps({"items": items}).replace("<", "\\u003c")
    template = Template((ASSETS / "offline.html").read_text(encoding="utf-8"))
    return template.substitute(html=files.html, css=files.css, js=files.js, data=data)


def _plain(name: str) -> str:
    """A file name of letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "photo"


def _harmless(text: str) -> str:
    """Spreadsheets take text that begins like this for a formula."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
