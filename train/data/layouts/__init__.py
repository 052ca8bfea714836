"""The layouts that captioned photos come in, one in each module.

Each module has two functions. ``find(folder)`` lists the files that a data set in this layout begins with, most likely
first. ``read(file, folder, split)`` reads one of them: at least the rows of this split, in the data set's own order.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, cast

from train.data.layouts import caption_files, coco, hugging_face, karpathy, table, token_file
from train.data.rows import Row


class Layout(Protocol):
    """What every module of this folder offers."""

    def find(self, folder: Path) -> list[Path]:
        """The files that data sets in this layout in the folder begin with; none if there is no such data set."""
        ...

    def read(self, file: Path, folder: Path, split: str) -> Iterable[Row]:
        """The rows of a data set, at least those of this split.

        Raises:
            DataError: something is missing or malformed.
        """
        ...


# The first one found is read.
LAYOUTS = cast(tuple[Layout, ...], (token_file, karpathy, coco, table, hugging_face, caption_files))
