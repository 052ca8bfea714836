"""Exports captions: a sheet, a GIF, a video, the numbers, a page that plays offline, or all of them in one zip."""

import csv
import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from capmodel.caption import Caption, CaptionedPhoto
from capmodel.output.animation import save_gif, save_mp4
from capmodel.output.figure import save_figure
from capmodel.output.offline_page import offline_item, offline_page, save_html
from capmodel.output.overlay import times_uniform

ALTERNATIVES = 5  # columns of the table

Progress = Callable[[int], None]


def export(photos: Iterable[CaptionedPhoto], kind: str, path: Path, progress: Progress = lambda done: None) -> None:
    """Writes one file.

    Args:
        photos: read once, one at a time, so that they need not all be in memory.
        kind: "png", "gif" or "mp4" (of exactly one photo), "json", "csv", "html" or "zip".
        progress: called after each photo with the number of photos done.

    Raises:
        ValueError: there is no such kind, or the number of photos does not fit it.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no export {kind!r}; choose from {', '.join(KINDS)}")
    KINDS[kind](_counted(photos, progress), path)


def save_json(photos: Iterable[CaptionedPhoto], path: Path) -> None:
    """A list with the command line's JSON object for each photo, plus the other ``candidates`` of its search."""
    path.write_text(json.dumps([_as_dict(photo) for photo in photos], indent=1), encoding="utf-8")


def save_csv(photos: Iterable[CaptionedPhoto], path: Path) -> None:
    """A table with one line per word of each photo's best caption.

    ``peak`` is the attention on the strongest cell, in times uniform; ``row`` and ``column`` (from 1,
    at the top left) say which cell that is.
    """
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # with the byte order mark that spreadsheets expect
        writer = csv.writer(file)
        alternatives = [f"{what} {number + 1}" for number in range(ALTERNATIVES) for what in ("instead", "probability")]
        writer.writerow(["photo", "caption", "position", "word", "probability", "peak", "row", "column", *alternatives])
        for photo in photos:
            caption = photo.captions[0]
            for position, word in enumerate(caption.words, 1):
                row, column = np.unravel_index(word.weights.argmax(), word.weights.shape)
                peak = round(float(times_uniform(word.weights).max()), 3)
                others = [value for text, share in word.alternatives for value in (text, round(share, 4))]
                line = [caption.text, position, word.text, round(word.probability, 4), peak, row + 1, column + 1]
                writer.writerow([_harmless(photo.name), *line, *others])


def save_zip(photos: Iterable[CaptionedPhoto], path: Path) -> None:
    """The offline page, JSON and CSV of all photos, and a folder per photo with its sheet, GIF and video."""
    items, told = [], []
    with zipfile.ZipFile(path, "w") as archive, tempfile.TemporaryDirectory(dir=path.parent) as folder:

        def add(name: str, save: Callable[[Path], object]) -> None:
            file = Path(folder, Path(name).name)
            save(file)
            is_text = file.suffix in (".html", ".json", ".csv")
            archive.write(file, name, zipfile.ZIP_DEFLATED if is_text else zipfile.ZIP_STORED)

        for number, photo in enumerate(photos, 1):
            for name, save in (("sheet.png", save_figure), ("attention.gif", save_gif), ("attention.mp4", save_mp4)):
                add(
                    f"{number:03d}-{_plain(Path(photo.name).stem)}/{name}",
                    partial(save, photo.pixels, photo.captions[0]),
                )
            items.append(offline_item(photo))
            told.append(replace(photo, pixels=photo.pixels[:0]))  # keep only the captions, to free the pixels
        add("captions.json", partial(save_json, told))
        add("captions.csv", partial(save_csv, told))
        add("photos.html", lambda file: file.write_text(offline_page(items), encoding="utf-8"))


def _single(save: Callable[[np.ndarray, Caption, Path], None]) -> Callable[[Iterable[CaptionedPhoto], Path], None]:
    def save_single(photos: Iterable[CaptionedPhoto], path: Path) -> None:
        found = list(photos)
        if len(found) != 1:
            raise ValueError(f"this kind of file shows one photo, not {len(found)}")
        save(found[0].pixels, found[0].captions[0], path)

    return save_single


KINDS: dict[str, Callable[[Iterable[CaptionedPhoto], Path], None]] = {
    "png": _single(save_figure),
    "gif": _single(save_gif),
    "mp4": _single(save_mp4),
    "json": save_json,
    "csv": save_csv,
    "html": save_html,
    "zip": save_zip,
}


def _counted(photos: Iterable[CaptionedPhoto], progress: Progress) -> Iterator[CaptionedPhoto]:
    for done, photo in enumerate(photos, 1):
        yield photo
        progress(done)


def _as_dict(photo: CaptionedPhoto) -> dict:
    best, *others = photo.captions
    return {"photo": photo.name, **best.as_dict(), "candidates": [other.as_dict() for other in others]}


def _plain(name: str) -> str:
    """A file name of letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "photo"


def _harmless(text: str) -> str:
    """Quotes text that spreadsheets would take for a formula."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
