"""Arrays and tensors as photos."""

import sys
from typing import Any, cast

import numpy as np

from capmodel.photos.errors import PhotoError

CHANNELS = (1, 3, 4)


def is_array(value: object) -> bool:
    """Whether a value is an array or a tensor of numbers, of any library. One of paths is a list of photos."""
    if not (hasattr(value, "__array__") and hasattr(value, "shape") and hasattr(value, "dtype")):
        return False
    return getattr(cast(Any, value).dtype, "kind", "f") not in "OSUT"  # objects and text


def is_several(value: Any) -> bool:
    """Whether an array holds several photos: (photos, height, width, channels)."""
    return is_array(value) and len(value.shape) == 4


def to_pixels(value: Any) -> np.ndarray:
    """The pixels of an array or a tensor: uint8 (height, width) or (height, width, 3 or 4).

    Raises:
        PhotoError: it has the shape, type or values of no photo.
    """
    array = _to_numpy(value)
    if array.ndim == 3 and _is_channels_first(array.shape, type(value)):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in CHANNELS) or not array.size:
        name = type(value).__name__
        named = f"An {name}" if name[0] in "aeiou" else f"A {name}"
        raise PhotoError(
            f"{'An array' if isinstance(value, np.ndarray) else named} of shape {tuple(value.shape)} is not a photo; "
            "(height, width, 3) is."
        )
    if array.dtype.kind == "f" and array.min() < -0.5:
        raise PhotoError(
            f"This array has values from {array.min():.2g} to {array.max():.2g}, so it is not a photo; "
            "undo its normalization, for values from 0 to 1."
        )
    return to_uint8(array)


def to_uint8(array: np.ndarray) -> np.ndarray:
    """Brightness values of any numeric type as uint8, of the same shape.

    Raises:
        PhotoError: the type is none for brightness.
    """
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype.kind == "f":  # 0..1 by convention; a TIFF may hold 0..255 or any other range
        array = np.nan_to_num(array)  # a copy, changed in place: a large photo takes much memory
        top = array.max(initial=0)
        array.clip(0, None, out=array)
        array *= 255 if top <= 1 else 1 if top <= 255 else 255 / top
        return array.round(out=array).astype(np.uint8)
    if array.dtype.kind in "ui":  # 16 bits, even in a wider type
        shift = 8 if array.max(initial=0) > 255 else 0
        return (array.clip(0, 65535) >> shift).astype(np.uint8)
    raise PhotoError(f"An array of {array.dtype} is not a photo; uint8 is.")


def _to_numpy(value: Any) -> np.ndarray:
    torch = sys.modules.get("torch")  # a tensor exists only if its owner has imported it
    if torch and isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    return np.asarray(value)


def _is_channels_first(shape: tuple[int, ...], kind: type) -> bool:
    """Whether an array of three dimensions is (channels, height, width). If both are possible, its library decides."""
    if kind.__module__.partition(".")[0] == "torch" or shape[2] > max(CHANNELS):
        return shape[0] in CHANNELS
    return False
