"""Captioned photos on disk, in the layouts that people already have.

- Flickr8k as published: ``Flickr8k.token.txt``, ``Flickr_8k.{train,dev,test}Images.txt`` and the photos.
- Karpathy's splits of Flickr8k, Flickr30k and COCO: ``dataset_*.json`` and the photos.
- Hugging Face's ImageFolder: ``metadata.csv`` or ``metadata.jsonl`` with the columns ``file_name`` and ``text``
  (several rows a photo are several captions), in one folder or in ``train``, ``dev`` and ``test``.
"""

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SPLITS = ("train", "dev", "test")
FLICKR8K_FOLDERS = ("Images", "Flicker8k_Dataset", "Flickr8k_Dataset")  # the first "r" is missing in the original
HINT = (
    "Flickr8k is at https://www.kaggle.com/datasets/adityajn105/flickr8k, Karpathy's splits at "
    "https://cs.stanford.edu/people/karpathy/deepimagesent/, and your own photos need a metadata.csv with "
    "the columns file_name and text."
)


class DataError(SystemExit):
    """Data are missing or malformed; the message is one sentence that says what, where, and what to do."""


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


def load_sets(folders: Sequence[Path], split: str) -> list[DataSet]:
    """The same split of several data sets. Raises what `load_split` raises."""
    names = [folder.resolve().name for folder in folders]
    return [
        DataSet(name if names.count(name) == 1 else str(folder), load_split(folder, split))
        for name, folder in zip(names, folders, strict=True)
    ]


def load_split(folder: Path, split: str) -> list[Example]:
    """The photos of a split with their captions, in the data set's own order.

    Raises:
        DataError: the folder is missing, or in none of the layouts, or lacks a file or a photo.
        ValueError: the split is not one of `SPLITS`.
    """
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}; there is {', '.join(SPLITS)}.")
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder} to read a data set from. {HINT}")
    for reader in (_flickr8k, _karpathy, _image_folder):
        examples = reader(folder, split)
        if examples is None:
            continue
        if not examples:
            raise DataError(f"The data set in {folder} has no photos in its {split} split.")
        missing = [example.photo for example in examples if not example.photo.is_file()]
        if missing:
            raise DataError(
                f"{len(missing)} of the {len(examples)} {split} photos are missing, first {missing[0]}. {HINT}"
            )
        return examples
    raise DataError(
        f"{folder} holds no data set: neither Flickr8k.token.txt nor dataset_*.json nor metadata.csv or .jsonl. {HINT}"
    )


def _flickr8k(folder: Path, split: str) -> list[Example] | None:
    tokens = _first(folder, ("Flickr8k.token.txt", "Flickr8k_text/Flickr8k.token.txt"))
    if tokens is None:
        return None
    list_file = tokens.with_name(f"Flickr_8k.{split}Images.txt")
    if not list_file.is_file():
        raise DataError(f"Flickr8k's list of {split} photos was looked for at {list_file}, but is not there. {HINT}")
    photos = _first(folder, FLICKR8K_FOLDERS)
    if photos is None:
        raise DataError(f"Flickr8k's photos were looked for in {folder / FLICKR8K_FOLDERS[0]}. {HINT}")
    captions = defaultdict(list)
    for line in tokens.read_text(encoding="utf-8").splitlines():
        key, _, text = line.partition("\t")
        captions[key.partition("#")[0]].append(text)
    names = list_file.read_text().split()
    return [Example(photos / name, tuple(captions[name])) for name in names]


def _karpathy(folder: Path, split: str) -> list[Example] | None:
    files = sorted(folder.glob("dataset_*.json"))
    if not files:
        return None
    names = {"train": ("train", "restval"), "dev": ("val",), "test": ("test",)}[split]
    examples = []
    for image in json.loads(files[0].read_text(encoding="utf-8"))["images"]:
        if image["split"] in names:
            inside = Path(image.get("filepath", ""), image["filename"])
            photo = _first(folder, (inside, *(Path(name, inside) for name in ("Images", "images")))) or folder / inside
            examples.append(Example(photo, tuple(sentence["raw"] for sentence in image["sentences"])))
    return examples


def _image_folder(folder: Path, split: str) -> list[Example] | None:
    aliases = {"train": ("train",), "dev": ("dev", "validation", "val", "valid"), "test": ("test",)}
    for alias in aliases[split]:
        rows = _metadata(folder / alias)
        if rows is not None:
            return _group(folder / alias, rows)
    if any((folder / alias).is_dir() for alias in aliases["train"]) and _metadata(folder / "train") is not None:
        raise DataError(f"{folder} has a train folder with metadata, but none for {split}.")
    rows = _metadata(folder)
    if rows is None:
        return None
    return [example for example in _group(folder, rows) if _hashed_split(example.photo.name) == split]


def _metadata(folder: Path) -> list[dict] | None:
    table, lines = folder / "metadata.csv", folder / "metadata.jsonl"
    if table.is_file():
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    elif lines.is_file():
        rows = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines() if line.strip()]
    else:
        return None
    if rows and not {"file_name", "text"} <= rows[0].keys():
        raise DataError(f"The metadata in {folder} needs the columns file_name and text; it has {', '.join(rows[0])}.")
    return rows


def _group(folder: Path, rows: Iterable[dict]) -> list[Example]:
    captions = defaultdict(list)
    for row in rows:
        captions[row["file_name"]].append(row["text"])
    return [Example(folder / name, tuple(texts)) for name, texts in captions.items()]


def _hashed_split(name: str) -> str:
    """80 % train, 10 % dev, 10 % test, by file name: a photo stays where it is when others are added."""
    tenths = (*("train",) * 8, "dev", "test")
    return tenths[int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10]


def _first(folder: Path, names: Iterable[str | Path]) -> Path | None:
    return next((folder / name for name in names if (folder / name).exists()), None)
