"""Which columns of a table hold the photo, its captions and its split."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.data.errors import DataError, at, quoted, some
from train.data.rows import split_named

PHOTO_COLUMNS = (
    "file_name",
    "filename",
    "image",
    "image_name",
    "image_path",
    "file",
    "filepath",
    "path",
    "photo",
    "img",
)
CAPTION_COLUMNS = ("text", "caption", "captions", "comment", "sentence", "sentences", "description")
SPLIT_COLUMN = "split"
NUMBERED = re.compile(r"(?:text|caption|comment|sentence)_?\d+")


@dataclass(frozen=True)
class Columns:
    """The names of the columns that count.

    Attributes:
        captions: one, or several as in ``caption_0`` to ``caption_4``.
        split: None if there is none.
    """

    photo: str
    captions: tuple[str, ...]
    split: str | None

    @classmethod
    def find(cls, names: Iterable[str], path: Path) -> "Columns":
        """The columns that count, by the names that data sets have for them.

        Raises:
            DataError: there are none for the photo or the caption.
        """
        names = list(names)
        known = {name.strip().lower().replace(" ", "_"): name for name in reversed(names)}
        photo = next((known[name] for name in PHOTO_COLUMNS if name in known), None)
        caption = next((known[name] for name in CAPTION_COLUMNS if name in known), None)
        captions = (caption,) if caption else tuple(known[name] for name in known if NUMBERED.fullmatch(name))[::-1]
        if photo is None or not captions:
            raise DataError(
                f"{path} needs the columns file_name and text, named in its first line or in every record; it has "
                f"{some([str(name) for name in names]) or 'none'}."
            )
        return cls(photo, captions, known.get(SPLIT_COLUMN))

    def captions_in(self, record: Mapping[str, Any], path: Path, where: int | str) -> list[str]:
        """The captions of a record; one empty caption if there are none.

        Raises:
            DataError: a field is neither text nor a list of texts.
        """
        captions = [caption for column in self.captions for caption in _texts(record.get(column), path, where)]
        return [caption for caption in captions if caption.strip()] or [""]

    def split_in(self, record: Mapping[str, Any], path: Path, where: int | str) -> str | None:
        """The split of a record, one of `SPLITS`; None if there is no column for it.

        Raises:
            DataError: the column holds something else.
        """
        if self.split is None:
            return None
        name = record.get(self.split)
        if (split := split_named(str(name))) is None:
            raise DataError(f"{at(path, where)}: {quoted(name)} is no split; train, dev and test are.")
        return split


def _texts(value: Any, path: Path, where: int | str) -> list[str]:
    if value is None:
        return []
    if isinstance(value, Mapping) and "raw" in value:  # as in Karpathy's files
        return _texts(value["raw"], path, where)
    if isinstance(value, str):
        return [value]
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        return [caption for each in value for caption in _texts(each, path, where)]
    raise DataError(f"{at(path, where)}: the caption must be text or a list of texts, not {quoted(value)}.")
