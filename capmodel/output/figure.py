"""Draws a sheet with one panel per word, with matplotlib."""

from pathlib import Path

import numpy as np

from capmodel.caption import Caption
from capmodel.output.overlay import CLEAR, overlay, scale_top, shrink, smooth_map, times_uniform


def save_figure(photo: np.ndarray, caption: Caption, path: Path) -> None:
    """Saves a sheet: the photo, then one panel per word with its map, probability and peak.

    Args:
        photo: RGB uint8 (height, width, 3).
        path: its suffix chooses the format (png, pdf, svg, ...).
    """
    from matplotlib.figure import Figure  # imported here because it loads slowly

    photo = shrink(photo, 480)
    height, width = photo.shape[:2]
    top = scale_top(caption)
    columns = min(6 if width <= 1.5 * height else 4, len(caption.words) + 1)
    rows = -(-(len(caption.words) + 1) // columns)
    panel_width = 2.4
    panel_height = panel_width * min(4, max(0.1, height / width))  # of an extreme shape, the panel is not filled
    figure = Figure(figsize=(columns * panel_width, rows * (panel_height + 0.45) + 0.7), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for axis in axes:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    axes[0].imshow(photo)
    axes[0].set_title("the photo", fontsize=11, color="0.4")
    for axis, word in zip(axes[1:], caption.words, strict=False):
        axis.imshow(overlay(photo, smooth_map(word.weights, height, width), top))
        peak = times_uniform(word.weights).max()
        axis.set_title(word.text, fontsize=12, weight="bold")
        axis.set_xlabel(f"{word.probability:.0%} · {peak:.1f}x", fontsize=9)
    figure.suptitle(caption.text, fontsize=14)
    clear = f"{top:.1f}x, the strongest in this caption" if top < CLEAR else f"{CLEAR:.0f}x or more"
    figure.supxlabel(
        f"Percent: the word's probability.  Number: attention on its top cell, in times uniform.  Clear: {clear}.",
        fontsize=9,
        color="0.4",
    )
    figure.savefig(path, dpi=110)
