"""Random crops of photos without captions, for training a backbone."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from capmodel.photos import load_photo

cv2.setNumThreads(0)  # batches are already prepared in several threads


@lru_cache(maxsize=2)
def _permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(count)


def shuffled(position: int, count: int, seed: int) -> int:
    """The item at a position of an endless stream that shuffles `count` items anew every epoch."""
    return int(_permutation(count, seed, position // count)[position % count])


def random_crop(photo: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """A crop of 20 to 100 % of the photo's area, 3:4 to 4:3, maybe mirrored, as (size, size, 3).

    Szegedy et al. (2015), "Going Deeper with Convolutions", section 6.
    """
    height, width = photo.shape[:2]
    area = height * width * random.uniform(0.2, 1)
    ratio = np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3)))
    crop_width = min(width, round((area * ratio) ** 0.5))
    crop_height = min(height, round((area / ratio) ** 0.5))
    top, left = random.integers(height - crop_height + 1), random.integers(width - crop_width + 1)
    crop = photo[top : top + crop_height, left : left + crop_width]
    crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if crop_width > size else cv2.INTER_CUBIC)
    return crop[:, ::-1] if random.random() < 0.5 else crop


def crop_batch(photos: list[Path], positions: range, size: int, seed: int) -> Tensor:
    """The crops at these positions of the endless stream: uint8 (B, 3, size, size)."""
    crops = []
    for position in positions:
        photo = load_photo(photos[shuffled(position, len(photos), seed)])
        crops.append(random_crop(photo, size, np.random.default_rng((seed, 1, position))))
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
