"""Where the photos of a data set lie: beside its captions, or in one of the folders that downloads have."""

import os
from itertools import product
from pathlib import Path

USUAL = frozenset({
    "images", "image", "photos", "pictures", "img", "imgs",
    "flickr8k", "flicker8k_dataset", "flickr8k_dataset", "flickr8k_images",  # the first "r" is missing in the original
    "flickr30k", "flickr30k_images", "flickr30k-images", "flickr30k_dataset",
    "coco", "train2014", "val2014", "test2014", "train2017", "val2017", "test2017",
})  # fmt: skip
DEPTH = 2  # of such folders in each other: Kaggle has flickr30k_images/flickr30k_images


class PhotoFolders:
    """Finds photos by the names that a data set has for them.

    Args:
        folder: of the data set.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._folders = [folder, *_usual_below(folder, DEPTH)]

    def find(self, *names: str) -> Path:
        """The photo of these names, most likely first; where it should be if there is none.

        Names may have folders in them, and backslashes between these.
        """
        spellings = [*names, *(name.replace("\\", "/") for name in names if "\\" in name)]
        for spelling, folder in product(spellings, self._folders):
            photo = folder / spelling
            if is_file(photo):
                return photo
        return self._folder / names[0]


def is_file(path: Path) -> bool:
    """Whether there is such a file; also for names that no file can have, for which `Path.is_file` raises an error."""
    return os.path.isfile(path)  # noqa: PTH113


def _usual_below(folder: Path, depth: int) -> list[Path]:
    if not depth or not folder.is_dir():
        return []
    found = sorted(each for each in folder.iterdir() if each.name.lower() in USUAL and each.is_dir())
    return found + [deeper for each in found for deeper in _usual_below(each, depth - 1)]
