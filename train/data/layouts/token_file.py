"""Flickr8k and Flickr30k as published: a file of ``NAME#NUMBER<tab>CAPTION`` and, for Flickr8k, lists of each split."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from train.data.errors import DataError, at
from train.data.photo_folders import PhotoFolders
from train.data.rows import Row
from train.data.text_files import read_lines

FILES = (
    "Flickr8k.token.txt",
    "Flickr8k_text/Flickr8k.token.txt",
    "results_20130124.token",
    "flickr30k/results_20130124.token",
)
LINE = re.compile(r"(.+?)#\d+(?:\s+(.*))?")  # blanks instead of the tab leave no doubt either


def find(folder: Path) -> list[Path]:
    return [folder / name for name in FILES if (folder / name).is_file()]


def read(file: Path, folder: Path, split: str) -> list[Row]:
    lines, photos = list(_lines(file)), PhotoFolders(folder)
    list_file = file.with_name(f"Flickr_8k.{split}Images.txt")
    if not list_file.is_file():
        if any(file.parent.glob("Flickr_8k.*Images.txt")):
            raise DataError(f"Flickr8k's list of {split} photos is missing: {list_file}.")
        return [Row(photos.find(name), caption, file, number) for number, name, caption in lines]
    captions = defaultdict(list)
    for number, name, caption in lines:
        captions[name].append((caption, file, number))
    listed = [(name.strip(), number) for number, name in enumerate(read_lines(list_file), 1) if name.strip()]
    return [
        Row(photo, *caption, split)
        for name, number in listed
        for photo in [photos.find(name)]
        for caption in captions.get(name) or [("", list_file, number)]
    ]


def _lines(file: Path) -> Iterator[tuple[int, str, str]]:
    """The number, the photo's name and the caption of each line."""
    for number, line in enumerate(read_lines(file), 1):
        if not line.strip():
            continue
        match = LINE.fullmatch(line)
        if match is None:
            raise DataError(
                f"{at(file, number)}: this line needs a photo's name, # and a number, a tab and a caption, as in `dog.jpg#0<tab>A dog`."
            )
        yield number, match[1].strip(), match[2] or ""
