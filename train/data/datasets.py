"""Captioned photos on disk, in the layouts that people already have; `train/data/layouts/` reads one each."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from train.data.errors import DataError, leave_out, some, tell
from train.data.layouts import LAYOUTS, Layout
from train.data.photo_folders import is_file
from train.data.rows import SPLITS, Row, clean_captions, split_of

HINT = (
    "Flickr8k is at https://www.kaggle.com/datasets/adityajn105/flickr8k, Karpathy's splits are at "
    "https://cs.stanford.edu/people/karpathy/deepimagesent/, and your own photos need a metadata.csv with "
    "the columns file_name and text."
)
PROBED = 20  # rows whose photos are looked for, to choose between several data sets in one folder


@dataclass(frozen=True)
class Example:
    """A photo and what people said of it."""

    photo: Path
    captions: tuple[str, ...]


@dataclass(frozen=True)
class DataSet:
    """One split of a data set.

    Attributes:
        name: of its folder; the whole path if another data set's folder has the same name.
    """

    name: str
    examples: list[Example]

    @property
    def photos(self) -> list[Path]:
        return [example.photo for example in self.examples]

    @property
    def captions(self) -> list[tuple[str, ...]]:
        """The captions of each photo."""
        return [example.captions for example in self.examples]


def load_sets(paths: Sequence[Path], split: str, *, skip_bad: bool = False) -> list[DataSet]:
    """The same split of several data sets; arguments and errors are those of `load_split`."""
    names = [path.resolve().name for path in paths]
    return [
        DataSet(name if names.count(name) == 1 else str(path), load_split(path, split, skip_bad=skip_bad))
        for name, path in zip(names, paths, strict=True)
    ]


def load_split(path: Path, split: str, *, skip_bad: bool = False) -> list[Example]:
    """The photos of a split with their captions, in the data set's own order.

    Args:
        path: of the data set's folder, or of the file with its captions if the folder holds several.
        skip_bad: leave out photos that are missing or have no caption.

    Raises:
        DataError: the folder is missing, or in none of the layouts, or something in it is missing or malformed.
        ValueError: the split is not one of `SPLITS`.
    """
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}; there is {', '.join(SPLITS)}.")
    layout, file, folder = _find(path)
    rows = clean_captions(layout.read(file, folder, split))
    found = [row for row in rows if split_of(row) == split]
    if not found:
        tenth = rows and not any(row.split for row in rows)
        why = f", which gets one photo in ten by file name; {path} has too few" if tenth else f" of {path}"
        raise DataError(
            f"There are no photos in the {split} split{why}: add photos, or sort them into the folders train, dev and "
            "test, each with its captions."
        )
    good = _leave_out(found, [row for row in found if not row.caption], "No caption for", split, skip_bad)
    there = {photo: is_file(photo) for photo in {row.photo for row in good}}
    good = _leave_out(good, [row for row in good if not there[row.photo]], "No file for", split, skip_bad)
    captions = defaultdict(list)
    for row in good:
        captions[row.photo].append(row.caption)
    return [Example(photo, tuple(texts)) for photo, texts in captions.items()]


def _find(path: Path) -> tuple[Layout, Path, Path]:
    """The layout of a data set, the file that it begins with, and its folder."""
    if not path.exists():
        raise DataError(f"There is no folder {path} to read a data set from. {HINT}")
    folder = path
    if path.is_file():
        folder = path.parent.parent if path.parent.name == "annotations" else path.parent
    found = _candidates(folder)
    chosen = [candidate for candidate in found if path.is_dir() or candidate[1].samefile(path)]
    if not chosen:
        inside = sorted(each for each in folder.iterdir() if each.is_dir() and _candidates(each))
        hint = f"There is one in {inside[0]}." if inside else HINT
        raise DataError(f"{path} holds no data set: its captions are in none of the known layouts. {hint}")
    layout, file = chosen[0]
    if len(chosen) > 1:
        layout, file = next((each for each in chosen if _has_photos(*each, folder)), chosen[0])
        others = ", ".join(other.name for _, other in chosen if other != file)
        tell(f"Captions are read from {file}; to read others there ({others}), give the file instead of the folder.")
    return layout, file, folder


def _candidates(folder: Path) -> list[tuple[Layout, Path]]:
    *others, last = LAYOUTS  # the last one looks at every photo
    found = [(layout, file) for layout in others for file in layout.find(folder)]
    return found or [(last, file) for file in last.find(folder)]


def _has_photos(layout: Layout, file: Path, folder: Path) -> bool:
    rows = (row for split in SPLITS for row in layout.read(file, folder, split))
    return any(is_file(row.photo) for _, row in zip(range(PROBED), rows))


def _leave_out(rows: list[Row], bad: list[Row], fault: str, split: str, skip_bad: bool) -> list[Row]:
    """The rows without the bad ones, if these are to be left out."""
    if not bad:
        return rows
    photos = {row.photo: row.place for row in bad}
    shown = some([f"{photo} ({place})" if place != str(photo) else place for photo, place in photos.items()])
    every = {row.photo for row in rows}
    said = f"{fault} {len(photos)} of the {len(every)} {split} photos: {shown}."
    leave_out(said, skip_bad=skip_bad, some_left=len(photos) < len(every), hint=HINT)
    out = set(map(id, bad))
    return [row for row in rows if id(row) not in out]
