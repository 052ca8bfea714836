"""Random crops of photos, for training a backbone."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from capmodel.photos import load_photo, load_square

cv2.setNumThreads(0)  # batches are already prepared in several threads


@lru_cache(maxsize=16)  # this epoch's and the next one's, of a few data sets
def _permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(count)


def shuffled(position: int, count: int, seed: int) -> int:
    """The item at a position of an endless stream that shuffles `count` items anew every epoch."""
    return int(_permutation(count, seed, position // count)[position % count])


def random_crop(photo: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """A crop of 20 to 100 % of the photo's area, 3:4 to 4:3, as (size, size, 3).

    Szegedy et al. (2015), "Going Deeper with Convolutions", section 6.
    """
    height, width = photo.shape[:2]
    area = height * width * random.uniform(0.2, 1)
    ratio = np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3)))
    crop_width = min(width, round((area * ratio) ** 0.5))
    crop_height = min(height, round((area / ratio) ** 0.5))
    return _cut(photo, crop_height, crop_width, size, random)


def gentle_crop(photo: np.ndarray, size: int, random: np.random.Generator, least: float = 0.8) -> np.ndarray:
    """A crop of most of height and width, squashed to (size, size, 3): its captions are still true, mostly.

    Args:
        least: share of the height, and of the width, that it shows at least.
    """
    height, width = photo.shape[:2]
    crop_height, crop_width = (round(side * random.uniform(least, 1)) for side in (height, width))
    return _cut(photo, crop_height, crop_width, size, random)


def _cut(photo: np.ndarray, height: int, width: int, size: int, random: np.random.Generator) -> np.ndarray:
    """A crop of this height and width from anywhere in the photo, as (size, size, 3)."""
    top = random.integers(photo.shape[0] - height + 1)
    left = random.integers(photo.shape[1] - width + 1)
    crop = photo[top : top + height, left : left + width]
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if width > size else cv2.INTER_CUBIC)


def crop_batch(photos: list[Path], positions: range, size: int, seed: int) -> Tensor:
    """The crops at these positions of the endless stream, half of them mirrored: uint8 (B, 3, size, size)."""
    crops = []
    for position in positions:
        photo = load_photo(photos[shuffled(position, len(photos), seed)])
        random = np.random.default_rng((seed, 1, position))
        crop = random_crop(photo, size, random)
        crops.append(crop[:, ::-1] if random.random() < 0.5 else crop)
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)


def load_squares(photos: Sequence[Path], device: torch.device, side: int = 256, workers: int = 2) -> Tensor:
    """Whole photos, squashed to squares, on a device: uint8 (N, 3, side, side).

    Args:
        workers: threads that load them.
    """
    squares = torch.empty((len(photos), 3, side, side), dtype=torch.uint8, device=device)
    with ThreadPoolExecutor(workers) as pool:
        for square, photo in zip(squares, pool.map(lambda path: load_square(path, side), photos)):
            square.copy_(torch.from_numpy(photo).permute(2, 0, 1))
    return squares


class DeviceCrops:
    """Crops that are cut on a GPU, from photos that lie in its memory: it learns quicker than processors could cut them.

    They are crops as `crop_batch` and `gentle_crop` have them, but of photos that were squashed to squares first.

    Args:
        squares: the photos, from `load_squares`.
    """

    def __init__(self, squares: Tensor):
        self.squares = squares

    def __call__(self, positions: range, size: int, seed: int) -> Tensor:
        """The crops at these positions of the endless stream, half of them mirrored: uint8 (B, 3, size, size)."""
        chosen = [shuffled(position, len(self.squares), seed) for position in positions]
        return self.cut(chosen, _boxes(len(positions), np.random.default_rng((seed, 1, positions.start))), size)

    def cut(self, chosen: Sequence[int], boxes: np.ndarray, size: int) -> Tensor:
        """Crops of the chosen photos, uint8 (B, 3, size, size), from boxes for `F.affine_grid`, fp32 (B, 2, 3)."""
        count, device = len(chosen), self.squares.device
        corners = torch.from_numpy(boxes).to(device)
        # A crop of half the photo's side may show all of it: then the mean of four points stands for a pixel, else every
        # other pixel of the photo would be skipped.
        finer = 2 if 2 * size <= self.squares.shape[-1] else 1
        points = F.affine_grid(corners, [count, 3, finer * size, finer * size], align_corners=False)
        squares = self.squares[torch.tensor(chosen, device=device)].float()
        crops = F.grid_sample(squares, points, mode="bicubic", padding_mode="reflection", align_corners=False)
        crops = F.avg_pool2d(crops, finer).clamp(0, 255).round().to(torch.uint8)
        return crops.contiguous(memory_format=torch.channels_last)


def _boxes(count: int, random: np.random.Generator) -> np.ndarray:
    """Random boxes as `random_crop` draws them, half of them mirrored, for `F.affine_grid`: fp32 (count, 2, 3)."""
    area, ratio = random.uniform(0.2, 1, count), np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3), count))
    sides = np.minimum(1, np.sqrt([area * ratio, area / ratio])).T  # of width and height
    return _place(sides, random.choice([-1, 1], count), random)


def gentle_boxes(mirrored: Sequence[bool], least: float, random: np.random.Generator) -> np.ndarray:
    """Random boxes as `gentle_crop` draws them, for `DeviceCrops.cut`: fp32 (B, 2, 3)."""
    return _place(random.uniform(least, 1, (len(mirrored), 2)), np.where(mirrored, -1, 1), random)


def _place(sides: np.ndarray, directions: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Boxes for `F.affine_grid`, fp32 (B, 2, 3), anywhere in a photo that reaches from -1 to 1.

    Args:
        sides: width and height (B, 2), as shares of the photo's.
        directions: (B,), -1 to mirror and 1 not to.
    """
    boxes = np.zeros((len(sides), 2, 3), np.float32)
    boxes[:, 0, 0] = sides[:, 0] * directions
    boxes[:, 1, 1] = sides[:, 1]
    boxes[:, :, 2] = random.uniform(-1, 1, sides.shape) * (1 - sides)
    return boxes


def mixup(crops: Tensor, share: float, random: np.random.Generator) -> Tensor:
    """Lays other crops over the first `share` of a batch, uint8 (B, 3, S, S), each as visible as chance has it.

    Zhang et al. (2018), "mixup: Beyond Empirical Risk Minimization". There are no labels to mix: the teacher says what it
    sees (Beyer et al. 2022, "Knowledge distillation: A good teacher is patient and consistent").
    """
    count = round(share * len(crops))
    weights = torch.from_numpy(random.random((count, 1, 1, 1), np.float32)).to(crops.device)
    mixed = crops.clone()
    mixed[:count] = torch.lerp(crops.roll(1, 0)[:count].float(), crops[:count].float(), weights).round().to(torch.uint8)
    return mixed
