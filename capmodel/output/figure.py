"""Draws a sheet with one panel per word, with matplotlib."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from capmodel.caption import Caption, Evidence
from capmodel.output.overlay import (
    CLEAR,
    evidence_top,
    overlay,
    overlay_evidence,
    scale_top,
    shrink,
    smooth_evidence,
    smooth_map,
    times_uniform,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL_WIDTH = 2.4  # inches
SMALL = {"fontsize": 9, "color": "0.4"}


def save_figure(photo: np.ndarray, caption: Caption, path: Path) -> None:
    """Saves a sheet: the photo, then one panel per word with its map, probability and peak.

    A caption with evidence gets two rows: where each word looked, and below it what mattered.

    Args:
        photo: RGB uint8 (height, width, 3).
        path: its suffix chooses the format (png, pdf, svg, ...).
    """
    from matplotlib.figure import Figure  # imported here because it loads slowly

    photo = shrink(photo, 480)
    height, width = photo.shape[:2]
    columns = min(6 if width <= 1.5 * height else 4, len(caption.words) + 1)
    maps = 2 if caption.evidence else 1  # of a word, one below the other
    rows = maps * -(-(len(caption.words) + 1) // columns)
    panel_height = PANEL_WIDTH * min(4, max(0.1, height / width))  # of an extreme shape, the panel is not filled
    figure = Figure(figsize=(columns * PANEL_WIDTH, rows * (panel_height + 0.45) + 0.7), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    first, *looked = axes[::maps].flat
    first.imshow(photo)
    first.set_title("the photo", fontsize=11, color="0.4")
    notes = [_draw_looked(looked, photo, caption)]
    if caption.evidence:
        first, *mattered = axes[1::2].flat
        notes.append(_draw_mattered(mattered, photo, caption))
        _draw_scale(first, caption.evidence)
        for row, axis in enumerate(axes[:, 0]):
            axis.set_ylabel(("looked", "mattered")[row % 2], fontsize=11, color="0.4")
    figure.suptitle(caption.text, fontsize=14)
    figure.supxlabel("\n".join(notes), **SMALL)
    figure.savefig(path, dpi=110)


def _draw_looked(axes: "list[Axes]", photo: np.ndarray, caption: Caption) -> str:
    """Where each word looked. Returns a line that explains it."""
    top = scale_top(caption)
    for axis, word in zip(axes, caption.words, strict=False):
        axis.imshow(overlay(photo, smooth_map(word.weights, *photo.shape[:2]), top))
        axis.set_title(word.text, fontsize=12, weight="bold")
        peak = times_uniform(word.weights).max()
        axis.set_xlabel(f"{word.probability:.0%} · {peak:.1f}x", fontsize=9)
    clear = f"{top:.1f}x, the strongest in this caption" if top < CLEAR else f"{CLEAR:.0f}x or more"
    return f"Percent: the word's probability.  Number: attention on its top cell, in times uniform.  Clear: {clear}."


def _draw_mattered(axes: "list[Axes]", photo: np.ndarray, caption: Caption) -> str:
    """What mattered for each word. Returns a line that explains it."""
    assert caption.evidence
    top = evidence_top(caption.evidence)
    for axis, nats, kept in zip(axes, caption.evidence.nats, caption.evidence.kept, strict=False):
        axis.imshow(overlay_evidence(photo, smooth_evidence(nats, *photo.shape[:2]), top))
        axis.set_xlabel(f"{np.exp(nats.max()):.1f}x · keeps {kept:.0%}", fontsize=9)
    change = (
        "more probable the word is with its top cell alone"
        if caption.evidence.alone
        else "less probable the word is without its top cell"
    )
    return (
        f"Mattered: how many times {change}, and how much of its probability it keeps without all cells.\n"
        "Clear cells speak for the word, orange ones against it."
    )


def _draw_scale(axis: "Axes", evidence: Evidence) -> None:
    """The colors of evidence on grey, between the ends of its scale."""
    top = evidence_top(evidence)
    nats = np.tile(np.linspace(-top, top, 256, dtype=np.float32), (24, 1))
    axis.imshow(overlay_evidence(np.full((*nats.shape, 3), 200, np.uint8), nats, top), extent=(-top, top, 0, top / 4))
    axis.set_xlim(-1.5 * top, 1.5 * top)  # room for the numbers at its ends
    most = np.exp(top)
    axis.set_xticks([-top, 0, top], [f"1/{most:.3g}", "1", f"{most:.3g}"], fontsize=9, color="0.4")
    scale = "times more probable\nwith it alone" if evidence.alone else "times less probable\nwithout it"
    axis.set_xlabel(scale, **SMALL)
