"""Draws where the model looked: a dark overlay on the photo that clears where attention lies.

All maps of a caption share one scale, in "times uniform": at 1x a cell gets as much attention as if the
model looked everywhere equally. So a flat map looks flat.
"""

import base64
import io

import numpy as np
from PIL import Image

from capmodel.caption import Caption, Evidence

OVERLAY_COLOR = np.array([8, 10, 24], np.float32)  # dark blue
SHOWN_SIDE = 1280  # longer side of a photo in a browser, in pixels
OPACITY = 0.82  # of the overlay where there is no attention
CLEAR = 8.0  # times uniform: of 64 cells, one with an eighth of all attention is fully clear, whatever the others get
AGAINST_COLOR = np.array([214, 72, 20], np.float32)  # vermilion, which the colour-blind tell from dark blue
# Of evidence, in nats: a caption's scale ends between 1.1 and 4 times less probable. So words that hang on a place show it
# (in softmax's captions of the example photos, their strongest cell is worth 1.08 in the middle), and words for which no
# place matters stay dim (1.02).
LOWEST_TOP, HIGHEST_TOP = float(np.log(1.1)), float(np.log(4))


def times_uniform(weights: np.ndarray) -> np.ndarray:
    """Weights that sum to 1 over their last two axes -> the weights in times uniform."""
    return weights * (weights.shape[-1] * weights.shape[-2])


def scale_top(caption: Caption) -> float:
    """The top of a caption's scale, in times uniform: the strongest cell of any word, clamped to 2..`CLEAR`.

    Beyond `CLEAR`, a word with nearly all its attention on one cell (often the first word) would leave the others dark.
    """
    return min(CLEAR, max([2.0, *(float(times_uniform(word.weights).max()) for word in caption.words)]))


def smooth_map(weights: np.ndarray, height: int, width: int) -> np.ndarray:
    """Weights (side, side) as a map in times uniform, enlarged to (height, width) by cubic interpolation.

    Catmull & Rom (1974): smooth, and exact at the middle of each cell. It interpolates square roots, which
    the overlay shows: interpolating the values themselves undershoots so far beside a strong cell that a
    dark hole appears. The browser's player draws the same.
    """
    return _enlarge(times_uniform(weights), height, width)


def smooth_evidence(nats: np.ndarray, height: int, width: int) -> np.ndarray:
    """Evidence (side, side) enlarged to (height, width), as `smooth_map`: what speaks for the word and what against
    it are enlarged apart, so that no strong cell gets a rim of the other sign.
    """
    return _enlarge(nats.clip(0), height, width) - _enlarge((-nats).clip(0), height, width)


def evidence_top(evidence: Evidence) -> float:
    """The end of a caption's scale of evidence, in nats: the strongest cell of any word, for or against it, clamped."""
    return float(np.abs(evidence.nats).max().clip(LOWEST_TOP, HIGHEST_TOP))


def _enlarge(values: np.ndarray, height: int, width: int) -> np.ndarray:
    rows, columns = (_cubic(size, side) for size, side in zip((height, width), values.shape, strict=True))
    drawn = rows @ np.sqrt(values) @ columns.T
    return np.square(drawn.clip(0)).astype(np.float32)  # it still undershoots slightly


def _cubic(size: int, side: int) -> np.ndarray:
    """The matrix that interpolates `side` cells to `size` pixels: (size, side), rows summing to 1."""
    place = (np.arange(size) + 0.5) * side / size - 0.5  # in cells; 0 is the middle of the first cell
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
        np.add.at(mix, (np.arange(size), (cell + offset).clip(0, side - 1)), tap)  # repeat border cells outwards
    return mix


def overlay(photo: np.ndarray, heat: np.ndarray, top: float) -> np.ndarray:
    """Lays the overlay over a photo. It thins with the square root of attention, much as eyes perceive light.

    Args:
        photo: RGB uint8 (height, width, 3).
        heat: in times uniform, (height, width).
        top: the heat at which the photo is fully clear.

    Returns:
        RGB uint8 (height, width, 3).
    """
    import cv2  # imported here because most captions are never drawn in Python

    opacity = OPACITY * (1 - (heat / top).clip(0, 1) ** 0.5)
    clear = 1 - opacity
    # Color by color, because NumPy is slow along an axis of three; OpenCV rounds and interleaves the planes again.
    colors = zip(cv2.split(photo), OVERLAY_COLOR, strict=True)
    return cv2.merge([cv2.convertScaleAbs(plane * clear + color * opacity) for plane, color in colors])


def overlay_evidence(photo: np.ndarray, nats: np.ndarray, top: float) -> np.ndarray:
    """Lays evidence over a photo: clear where it speaks for the word, dark where it says nothing, tinted where it
    speaks against the word. Both grow linearly: with square roots, as in `overlay`, a little evidence against the word
    would tint half the photo.

    Args:
        photo: RGB uint8 (height, width, 3).
        nats: (height, width).
        top: the nats at which the photo is fully clear, or fully tinted.

    Returns:
        RGB uint8 (height, width, 3).
    """
    strength = np.abs(nats / top).clip(0, 1)[..., None]
    favour = nats[..., None] > 0
    opacity = OPACITY * np.where(favour, 1 - strength, 1)
    color = OVERLAY_COLOR + np.where(favour, 0, strength) * (AGAINST_COLOR - OVERLAY_COLOR)
    return (photo * (1 - opacity) + color * opacity).round().astype(np.uint8)


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
