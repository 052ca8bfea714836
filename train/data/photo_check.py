"""Reads every photo once before hours are spent on training, and names those that cannot be read."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from capmodel.photos import PhotoError, load_photo
from train.data.datasets import DataSet
from train.data.errors import leave_out, some
from train.fit import LOADERS

SIDE = 32  # a large JPEG is read to its end, but decoded to no more pixels than this on its shorter side


def damaged(photos: Iterable[Path]) -> dict[Path, str]:
    """The photos that cannot be read, each with the reason."""

    def fault(photo: Path) -> str | None:
        try:
            load_photo(photo, at_least=SIDE)
        except PhotoError as error:
            return str(error)
        return None

    photos = list(dict.fromkeys(photos))
    with ThreadPoolExecutor(LOADERS) as pool:
        faults = tqdm(
            pool.map(fault, photos), "check", len(photos), unit="photo", leave=False, disable=len(photos) < 100
        )
        return {photo: fault for photo, fault in zip(photos, faults, strict=True) if fault}


def readable(photos: Sequence[Path], *, skip_bad: bool = False) -> list[Path]:
    """The photos that can be read.

    Args:
        skip_bad: leave out the others.

    Raises:
        DataError: some cannot be read and are not to be left out, or none can be read.
    """
    bad = damaged(photos)
    if bad:
        listed = some([f"{photo}: {fault.rstrip('.')}" for photo, fault in bad.items()])
        said = f"{len(bad)} of {len(photos)} photos cannot be read: {listed}."
        leave_out(said, skip_bad=skip_bad, some_left=len(bad) < len(set(photos)))
    return [photo for photo in photos if photo not in bad]


def readable_sets(sets: Sequence[DataSet], *, skip_bad: bool = False) -> list[DataSet]:
    """The data sets without photos that cannot be read; arguments and errors are those of `readable`."""
    checked = []
    for data in sets:
        good = set(readable(data.photos, skip_bad=skip_bad))
        checked.append(replace(data, examples=[example for example in data.examples if example.photo in good]))
    return checked
