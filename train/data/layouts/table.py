"""A table with a photo and a caption a row: your own, Hugging Face's ImageFolder, or Kaggle's Flickr8k and Flickr30k.

In one folder with the photos, or in one folder for each split. Several rows a photo are several captions.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from train.data.columns import Columns
from train.data.delimited import read_delimited
from train.data.errors import DataError, at
from train.data.json_files import read_records
from train.data.layouts import token_file
from train.data.photo_folders import PhotoFolders
from train.data.rows import SPLIT_NAMES, Row
from train.data.text_files import read_lines

FILES = (
    *(f"metadata.{kind}" for kind in ("csv", "tsv", "jsonl", "json")),
    *(f"captions.{kind}" for kind in ("txt", "csv", "tsv", "jsonl", "json")),
    "results.csv",  # Flickr30k
)
RECORDS = (".jsonl", ".json")
# Flickr30k's results.csv lacks one of its bars: "2199200615.jpg| 4   A dog runs across the grass ."
NUMBERED_CAPTION = re.compile(r"\d+\s+(.+)")


def find(folder: Path) -> list[Path]:
    of_train = [file for name in SPLIT_NAMES["train"] for file in _tables(folder / name)]
    return of_train or _tables(folder)


def read(file: Path, folder: Path, split: str) -> Iterator[Row]:
    if file.parent == folder:
        yield from _rows(file, None)
        return
    tables = [table for name in SPLIT_NAMES[split] for table in _tables(folder / name)]
    if not tables:
        raise DataError(f"{folder} has a folder {file.parent.name} with {file.name}, but none for {split}.")
    yield from _rows(tables[0], split)


def _tables(folder: Path) -> list[Path]:
    return [folder / name for name in FILES if (folder / name).is_file()]


def _rows(file: Path, split: str | None) -> Iterator[Row]:
    if file.suffix == ".txt" and token_file.LINE.fullmatch(next(iter(read_lines(file)), "")):
        yield from token_file.read(file, file.parent, split or "")
        return
    photos = PhotoFolders(file.parent)
    columns = None
    for where, record in read_records(file) if file.suffix in RECORDS else read_delimited(file):
        columns = columns or Columns.find(record, file)
        name = record.get(columns.photo)
        if not isinstance(name, str) or not name.strip():
            raise DataError(f"{at(file, where)}: there is no name of a photo in {columns.photo}.")
        captions = columns.captions_in(record, file, where)
        if captions == [""] and (match := NUMBERED_CAPTION.fullmatch(str(record.get("comment_number", "")).strip())):
            captions = [match[1]]
        own = split or columns.split_in(record, file, where)
        photo = photos.find(name.strip())
        for caption in captions:
            yield Row(photo, caption, file, where, own)
