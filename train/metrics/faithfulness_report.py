"""What `train.faithfulness` measured, as numbers with intervals and as a figure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from train.metrics.occlusion_curves import OF_WORDS

RANKINGS = ("attention", "other_word", "random", *OF_WORDS)
CURVES = ("deletion", "insertion")
RESAMPLES = 2000

# Okabe & Ito's colours, which the colour-blind tell apart too; and each has a marker of its own.
LOOKS = {
    "attention": ("attention", "#D55E00", "o", "-"),
    "other_word": ("another word's map", "#E69F00", "s", "--"),
    "random": ("random cells", "#7F7F7F", "x", ":"),
    "input_x_gradient": ("gradient × input", "#56B4E9", "^", "-"),
    "integrated_gradients": ("integrated gradients", "#0072B2", "v", "-"),
    "evidence": ("evidence (hide one cell)", "#009E73", "D", "-"),
    "smoothed_evidence": ("evidence, smoothed 3 × 3", "#009E73", "d", "--"),
    "neighbour_pairs": ("hide two neighbours", "#CC79A7", "<", "-"),
    "windows": ("hide 2 × 2 cells", "#CC79A7", ">", "--"),
    "show_one": ("show one cell", "#000000", "p", "--"),
    "both_ways": ("hide one, show one", "#000000", "P", "-"),
}


def summarize(table: dict[str, np.ndarray], counts: Sequence[int], cells: int, seed: int) -> dict:
    """Means over words with intervals over photos, of what `measure` returned.

    Args:
        counts: C numbers of cells hidden (deletion) or shown (insertion).
        cells: k, one of them.
    """
    share = np.array(counts) / counts[-1]
    areas = np.trapezoid(table["grid"], share, axis=-1)  # (N, R, 2)
    falls = -table["grid"][:, :, 0, list(counts).index(cells)]  # (N, R)

    def mean(values: np.ndarray) -> dict:
        measured = ~np.isnan(values.reshape(len(values), -1)).any(1)
        return interval(values[measured], table["photo"][measured], seed)

    def against(values: np.ndarray, kind: int) -> dict:
        """Differences word by word: a ranking's less that of random cells and that of other words' maps."""
        references = [name for name in ("random", "other_word") if name != RANKINGS[kind]]
        return {
            f"less_{name}": mean(values[:, kind] - values[:, RANKINGS.index(name)])
            for name in (references if RANKINGS[kind] != "random" else [])
        }

    def comparison(falls: np.ndarray, kind: int) -> dict:
        found = {"fall": mean(falls[:, kind]), **against(falls, kind)}
        if RANKINGS[kind] != "random":
            beyond = falls[:, kind] > falls[:, RANKINGS.index("random")]
            found["words_beyond_random"] = mean(np.where(np.isnan(falls[:, kind]), np.nan, beyond))
        return found

    grid = {}
    for kind, name in enumerate(RANKINGS):
        grid[name] = {"hidden_k": comparison(falls, kind)}
        for place, curve in enumerate(CURVES):
            grid[name][curve] = {
                "curve": mean(table["grid"][:, kind, place]),
                "area": mean(areas[:, kind, place]),
                **against(areas[:, :, place], kind),
            }
    in_photo = (
        {}
        if np.isnan(table["pixels"]).all()
        else {name: comparison(-table["pixels"], kind) for kind, name in enumerate(RANKINGS)}
    )
    gained, expected = table["completeness"].T
    _, one_word = np.unique(table["photo"], return_index=True)
    seconds = table["seconds"][one_word].mean(0)
    return {
        "photos": len(np.unique(table["photo"])),
        "words": len(table["photo"]),
        "counts": list(counts),
        "log_probability": mean(table["whole"]),
        "fall_all_hidden": mean(-table["grid"][:, 0, 0, -1]),
        "entropy": mean(table["entropy"]),
        "effective_cells": mean(np.exp(table["entropy"])),
        "overlap_other_word": mean(table["overlap"]),
        **{
            key: {name: mean(table["correlation"][:, kind, sign]) for kind, name in enumerate(OF_WORDS)}
            for sign, key in enumerate(("rank_correlation", "rank_correlation_of_size"))
        },
        "path_error": round(float(np.abs(gained - expected).mean() / np.abs(expected).mean()), 4),
        "grid": grid,
        "photo": in_photo,
        "seconds_per_caption": dict(zip(OF_WORDS, seconds.round(4).tolist(), strict=True)),
    }


def interval(values: np.ndarray, photo: np.ndarray, seed: int) -> dict:
    """The mean over N words (N, ...) and its 95 % interval, from a bootstrap of photos.

    The words of a photo hang together, so whole photos are drawn again: Efron & Tibshirani (1993),
    "An Introduction to the Bootstrap", section 8.
    """
    _, place = np.unique(photo, return_inverse=True)
    count = np.bincount(place).astype(float)  # (P,)
    total = np.zeros((len(count), *values.shape[1:]))
    np.add.at(total, place, values)
    drawn = np.random.default_rng(seed).multinomial(len(count), np.full(len(count), 1 / len(count)), RESAMPLES)
    means = (drawn @ total.reshape(len(count), -1)) / (drawn @ count)[:, None]
    low, high = np.percentile(means, [2.5, 97.5], axis=0).reshape(2, *values.shape[1:])
    return {
        name: np.round(value, 4).tolist()
        for name, value in (("mean", total.sum(0) / count.sum()), ("low", low), ("high", high))
    }


def draw_report(report: dict, path: Path) -> None:
    """A row for each model: deletion, insertion, and the fall when k cells are hidden."""
    models, cells = report["models"], report["settings"]["cells"]
    figure = Figure(figsize=(15, 7 * len(models) + 1.5), layout="constrained")
    axes = figure.subplots(len(models), 3, squeeze=False, sharex="col", sharey="col")
    for row, (label, model) in zip(axes, models.items(), strict=True):
        for axis, curve in zip(row, CURVES, strict=False):
            _draw_curves(axis, model, curve)
        _draw_falls(row[2], model)
        row[0].set_ylabel("change of the word's\nlog-probability (nats)", fontsize=13)
        row[0].annotate(
            label, (-0.32, 0.5), xycoords="axes fraction", rotation=90, ha="right", va="center", size=18, weight="bold"
        )
        for axis in row:
            axis.tick_params(labelsize=13)
            axis.spines[["top", "right"]].set_visible(False)
            axis.grid(color="0.9")
            axis.set_axisbelow(True)
    titles = (
        ("Deletion: first cells hidden\n(lower: more faithful)", "share of cells hidden"),
        ("Insertion: only first cells seen\n(higher: more faithful)", "share of cells seen"),
        (f"First {cells} cells hidden\n(farther right: more faithful)", "fall of log-probability (nats)"),
    )
    for top, bottom, (title, name) in zip(axes[0], axes[-1], titles, strict=True):
        top.set_title(title, fontsize=15)
        bottom.set_xlabel(name, fontsize=13)
    figure.legend(
        *axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=5, fontsize=14, frameon=False
    )
    figure.savefig(path, dpi=110)


def _draw_curves(axis: Axes, model: dict, curve: str) -> None:
    share = np.array(model["counts"]) / model["counts"][-1]
    axis.axhline(0, color="0.6", linewidth=1)
    for name, (text, color, marker, line) in LOOKS.items():
        values = model["grid"][name][curve]["curve"]
        axis.fill_between(share, values["low"], values["high"], color=color, alpha=0.12, linewidth=0)
        axis.plot(share, values["mean"], line, color=color, marker=marker, markersize=7, linewidth=2.2, label=text)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")


def _draw_falls(axis: Axes, model: dict) -> None:
    """Dots with intervals, first for cells hidden in the grid, then in the photo."""
    axis.axvline(0, color="0.6", linewidth=1)
    rows = [("IN THE GRID", None)]
    rows += [(name, model["grid"][name]["hidden_k"]["fall"]) for name in RANKINGS]
    if model["photo"]:
        rows += [("IN THE PHOTO", None)]
    rows += [(name, found["fall"]) for name, found in model["photo"].items()]
    for place, (name, found) in enumerate(rows):
        if found:
            _, color, marker, _ = LOOKS[name]
            reach = [[found["mean"] - found["low"]], [found["high"] - found["mean"]]]
            axis.errorbar(found["mean"], -place, xerr=reach, color=color, marker=marker, markersize=9, linewidth=2.2)
    names = [LOOKS[name][0] if found else name for name, found in rows]
    axis.set_yticks([-place for place in range(len(rows))], names)
    axis.set_ylim(0.6 - len(rows), 0.6)
