"""A text file beside each photo, with a caption a line: ``dog.jpg`` and ``dog.txt``.

In one folder, or in one folder for each split.
"""

from collections.abc import Iterator
from pathlib import Path

from capmodel.photo_files import list_photos
from train.data.rows import Row, split_named
from train.data.text_files import read_lines

SUFFIXES = (".txt", ".caption")


def find(folder: Path) -> list[Path]:
    return [folder] if any(map(_captions_of, list_photos(folder))) else []


def read(file: Path, folder: Path, split: str) -> Iterator[Row]:
    for photo in list_photos(folder):
        first, *rest = photo.relative_to(folder).parts
        own = split_named(first) if rest else None
        captions = _captions_of(photo)
        lines = list(enumerate(read_lines(captions), 1)) if captions else []
        written = [(number, line) for number, line in lines if line.strip()]
        for number, line in written or [(None, "")]:
            yield Row(photo, line, captions or photo, number, own)


def _captions_of(photo: Path) -> Path | None:
    names = [photo.stem + suffix for suffix in SUFFIXES] + [photo.name + suffix for suffix in SUFFIXES]
    return next((photo.with_name(name) for name in names if photo.with_name(name).is_file()), None)
