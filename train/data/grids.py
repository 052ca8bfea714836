"""Grids of a frozen backbone, computed once and cached on disk."""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import numpy as np
import torch
from accelerate import Accelerator
from tqdm import tqdm

from capmodel.model.backbone import GridEncoder
from capmodel.photos import load_photo, load_square
from train.data.crops import gentle_crop
from train.data.datasets import DataSet
from train.fit import made_by_first

BATCH = 32
ABANDONED = 3600  # seconds since anything was written to an unfinished file, after which its run must be dead


class View(NamedTuple):
    """How photos are seen.

    Attributes:
        mirrored: left to right.
        crop: the number of a random crop of each photo, from 1 on; 0 is the whole photo.
    """

    mirrored: bool = False
    crop: int = 0


WHOLE = View()


def all_views(crops: int, mirrored: bool) -> list[View]:
    """The whole photo and a number of crops, each as it is and, if wanted, mirrored."""
    return [View(turned, crop) for crop in range(crops + 1) for turned in ([False, True] if mirrored else [False])]


def cached_grids(
    encoder: GridEncoder, photos: Sequence[Path], folder: Path, accelerator: Accelerator, view: View = WHOLE
) -> np.ndarray:
    """The photos' grids as a read-only fp16 array (N, L, D), mapped from disk, not held in memory.

    They are computed on the first call and found again by weights, photos (path, size and time of
    change) and view, so a changed backbone or photo never meets an old grid. Of several runs that
    compute the same at the same time, each writes a file of its own, and the one that is done first
    leaves it for all.

    Args:
        folder: where the arrays are kept; all machines must share it.
        view: that the photos are seen from.
    """
    path = folder / f"grids-{_key(encoder, photos, view)}.npy"
    made_by_first(path, lambda: _compute(encoder, photos, path, accelerator, view), accelerator)
    return np.load(path, mmap_mode="r")


def grids_of_sets(
    encoder: GridEncoder, sets: Sequence[DataSet], folder: Path, accelerator: Accelerator, view: View = WHOLE
) -> list[np.ndarray]:
    """The photos' grids from all data sets, in their order, each (L, D); one file a data set, as `cached_grids`."""
    arrays = [cached_grids(encoder, data.photos, folder, accelerator, view) for data in sets]
    return [grid for array in arrays for grid in array]


def _key(encoder: GridEncoder, photos: Sequence[Path], view: View) -> str:
    digest = hashlib.sha256(json.dumps([encoder.name, encoder.image_size, *view]).encode())
    for value in encoder.state_dict().values():
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    for photo in photos:
        status = photo.stat()
        digest.update(f"{photo.resolve()} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def encode_photos(
    encoder: GridEncoder, photos: Sequence[Path], accelerator: Accelerator, view: View = WHOLE
) -> Iterator[np.ndarray]:
    """The grids (B, L, D) of photos, batch by batch, in fp16; the next photos are loaded meanwhile."""
    encoder = encoder.eval().to(accelerator.device, memory_format=torch.channels_last)

    def load(number: int, photo: Path) -> torch.Tensor:
        if view.crop:
            square = gentle_crop(load_photo(photo), encoder.image_size, np.random.default_rng((*view, number)))
        else:
            square = load_square(photo, encoder.image_size, encoder.interpolation)
        return torch.from_numpy(square[:, ::-1].copy() if view.mirrored else square)

    with ThreadPoolExecutor(4) as pool:
        loaded = pool.map(load, range(len(photos)), photos)
        while squares := list(islice(loaded, BATCH)):
            pixels = torch.stack(squares).permute(0, 3, 1, 2).to(accelerator.device)
            with torch.inference_mode(), accelerator.autocast():
                grids = encoder(pixels).half().cpu().numpy()
            yield grids


def _compute(encoder: GridEncoder, photos: Sequence[Path], path: Path, accelerator: Accelerator, view: View) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path.parent)
    partial = path.with_name(f"{path.stem}-{uuid4().hex}.partial")
    try:
        shape = (len(photos), encoder.grid_size**2, encoder.channels)
        grids = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float16, shape=shape)
        done = 0
        with tqdm(total=len(photos), desc="grids", unit="photo") as bar:
            for batch in encode_photos(encoder, photos, accelerator, view):
                grids[done : done + len(batch)] = batch
                done += len(batch)
                os.utime(partial)  # writes to a mapped file need not show
                bar.update(len(batch))
        grids.flush()
        if not path.exists():
            partial.replace(path)  # an array that is there is whole
    finally:
        partial.unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    """Removes the unfinished arrays of runs that were killed."""
    for partial in folder.glob("grids-*.partial"):
        try:
            if time.time() - partial.stat().st_mtime > ABANDONED:
                partial.unlink()
        except FileNotFoundError:  # finished, or removed by another run
            pass
