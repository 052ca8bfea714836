"""Draws where the model looked: an overlay over the photo that lifts where attention lies.

All maps of a caption share one scale, in "x uniform": at 1x a cell gets as much attention as if the
model looked everywhere alike. So a flat map looks flat.
"""

import base64
import io

import numpy as np
from PIL import Image

from capmodel.caption import Caption

OVERLAY_COLOR = np.array([8, 10, 24], np.float32)  # dark blue
SHOWN_SIDE = 1280  # longer side of a photo in a browser, in pixels
OPACITY = 0.82  # of the overlay where there is no attention
CLEAR = 8.0  # x uniform: of 64 cells, one with an eighth of all attention shows unveiled, whatever the others get


def times_uniform(weights: np.ndarray) -> np.ndarray:
    """Weights that sum to 1 over their last two axes -> how many times more than uniform they are."""
    return weights * (weights.shape[-1] * weights.shape[-2])


def scale_top(caption: Caption) -> float:
    """The top of a caption's scale, in x uniform: the strongest cell of any word, but at least 2 and at most `CLEAR`.

    Beyond that, one word with nearly all its attention on a cell (often the first) would leave the others in the dark.
    """
    return min(CLEAR, max([2.0, *(float(times_uniform(word.weights).max()) for word in caption.words)]))


def smooth_map(weights: np.ndarray, height: int, width: int) -> np.ndarray:
    """A map (side, side) in x uniform, drawn out to (height, width) by cubic interpolation.

    Catmull & Rom (1974): smooth, and at the middle of a cell still the cell's own value. Between
    square roots, as the overlay shows them: between the values themselves it undershoots so far beside
    a strong cell that one sees a dark hole there. The browser's player draws the same.
    """
    rows, columns = (_cubic(size, side) for size, side in zip((height, width), weights.shape, strict=True))
    drawn = rows @ np.sqrt(times_uniform(weights)) @ columns.T
    return np.square(drawn.clip(0)).astype(np.float32)  # it still undershoots a little


def _cubic(size: int, side: int) -> np.ndarray:
    """How each of `size` pixels mixes `side` cells: (size, side), rows summing to 1."""
    place = (np.arange(size) + 0.5) * side / size - 0.5  # in cells; 0 is the middle of the first
    cell = np.floor(place).astype(int)
    f = place - cell
    taps = (
        -0.5 * f**3 + f**2 - 0.5 * f,
        1.5 * f**3 - 2.5 * f**2 + 1,
        -1.5 * f**3 + 2 * f**2 + 0.5 * f,
        0.5 * f**3 - 0.5 * f**2,
    )
    mix = np.zeros((size, side))
    for offset, tap in zip(range(-1, 3), taps, strict=True):
        np.add.at(mix, (np.arange(size), (cell + offset).clip(0, side - 1)), tap)  # the border goes on outwards
    return mix


def overlay(photo: np.ndarray, heat: np.ndarray, top: float) -> np.ndarray:
    """Lays the overlay over a photo. It thins with the square root of attention, as eyes see light.

    Args:
        photo: RGB uint8 (height, width, 3).
        heat: in x uniform, (height, width).
        top: the heat at which the photo shows unveiled.

    Returns:
        RGB uint8 (height, width, 3).
    """
    import cv2  # imported where it is needed: most captions are never drawn here

    opacity = OPACITY * (1 - (heat / top).clip(0, 1) ** 0.5)
    clear = 1 - opacity
    # Color by color, since NumPy is slow along an axis of three numbers; OpenCV rounds and interleaves them again.
    colors = zip(cv2.split(photo), OVERLAY_COLOR, strict=True)
    return cv2.merge([cv2.convertScaleAbs(plane * clear + color * opacity) for plane, color in colors])


def shrink(photo: np.ndarray, longest: int) -> np.ndarray:
    """Shrinks a photo so that its longer side is at most `longest` pixels."""
    image = Image.fromarray(photo)
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(image)


def to_data_url(photo: np.ndarray, longest: int) -> str:
    """A photo as a JPEG in a ``data:`` address, its longer side at most `longest` pixels."""
    file = io.BytesIO()
    Image.fromarray(shrink(photo, longest)).save(file, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
