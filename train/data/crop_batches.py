"""Batches of photos that are cropped anew each time, for training a backbone on captions."""

from dataclasses import dataclass

import numpy as np
import torch

from capmodel.photos import load_photo
from train.data.batches import CaptionBatches, Draw
from train.data.crops import DeviceCrops, gentle_boxes, gentle_crop
from train.fit import Batch


@dataclass(frozen=True, kw_only=True)
class CropBatches(CaptionBatches):
    """Batches of photos, each cropped anew, with K of its captions; its `views` are lists of files.

    Attributes:
        size: S, of the square that a crop is squashed to.
        least: share of a photo's height, and of its width, that a crop shows at least.
    """

    size: int
    least: float

    def show(self, drawn: list[Draw]) -> Batch:
        """``pixels``, uint8 (B, 3, S, S)."""
        crops = []
        for photo, view, random in drawn:
            crop = gentle_crop(load_photo(self.views[view][photo]), self.size, random, self.least)
            crops.append(crop[:, ::-1] if view else crop)
        return {"pixels": torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)}


@dataclass(frozen=True, kw_only=True)
class DeviceCropBatches(CropBatches):
    """The same from photos that lie in a GPU's memory, where they are cropped."""

    crops: DeviceCrops

    def show(self, drawn: list[Draw]) -> Batch:
        boxes = [gentle_boxes([bool(draw.view)], self.least, draw.random) for draw in drawn]
        return {"pixels": self.crops.cut([draw.photo for draw in drawn], np.concatenate(boxes), self.size)}
