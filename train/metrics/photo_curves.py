"""Deletion and insertion curves with squares hidden in the photo: dozens of runs of the backbone for every word."""

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from capmodel import Captioner
from capmodel.explain.occlusion import hide_cells
from train.metrics.faithfulness_report import interval
from train.metrics.occlusion_curves import (
    OF_WORDS,
    Reading,
    deletion_and_insertion,
    explain_words,
    logprobs_of_squares,
)
from train.metrics.saliency import order_cells, single_cells

SHARES = (1 / 32, 1 / 8, 3 / 8)  # of the squares, hidden or shown, besides none and all
CHOSEN_IN_GRID = ("integrated_gradients", "evidence", "both_ways")
RANKINGS = ("attention", "random", *CHOSEN_IN_GRID, "photo_evidence")


def measure_photo_curves(captioner: Captioner, reading: Reading, random: np.random.Generator) -> np.ndarray:
    """For each of W words and R `RANKINGS`, its log-probability less that on the whole photo: (W, R, 2, C).

    C counts from none to all, first for deletion, then for insertion. `photo_evidence` ranks squares by what the word
    loses when that square alone is hidden in the photo.
    """
    spans = [(start, stop) for _, start, stop in reading.words]
    tokens, side = reading.tokens[: spans[-1][1]], captioner.model.encoder.grid_size
    words, cells = len(spans), side**2

    def logprobs(hidden: np.ndarray) -> np.ndarray:
        """With squares hidden (N, L) in the photo: (N, W)."""
        squares = [hide_cells(reading.square, np.flatnonzero(row), side) for row in hidden]
        return logprobs_of_squares(captioner, squares, tokens, spans).numpy()

    whole, blind = logprobs(np.array([[False], [True]]).repeat(cells, 1))
    values, _ = explain_words(captioner, reading)
    in_grid = [values[:, OF_WORDS.index(name)] for name in CHOSEN_IN_GRID]
    in_photo = (whole - logprobs(single_cells(side).numpy())).T
    flat = np.zeros((words, cells))
    orders = order_cells(np.stack([reading.maps, flat, *in_grid, in_photo], 1), random)  # (W, R, L)
    hidden = deletion_and_insertion(orders, counts_in_photo(cells)[1:-1]).numpy()  # (W, R, 2, C - 2, L)
    found = np.stack([logprobs(hidden[word].reshape(-1, cells))[:, word] for word in range(words)])
    found = found.reshape(hidden.shape[:-1])
    first, last = (np.broadcast_to(end[:, None, None], (*found.shape[:2], 1)) for end in (whole, blind))
    deletion = np.concatenate([first, found[:, :, 0], last], -1)
    insertion = np.concatenate([last, found[:, :, 1], first], -1)
    return np.stack([deletion, insertion], 2) - whole[:, None, None, None]


def counts_in_photo(cells: int) -> list[int]:
    """How many of a grid's squares are hidden along the curve."""
    return sorted({0, cells, *(max(1, round(share * cells)) for share in SHARES)})


def measure_curves(captioner: Captioner, readings: Sequence[Reading], seed: int) -> dict[str, np.ndarray] | None:
    """``photo`` (N,) and ``curves`` (N, R, 2, C) of the N content words of several photos; None if there are none."""
    spoken = [(index, reading) for index, reading in enumerate(readings) if reading.words]
    if not spoken:
        return None
    curves = [
        measure_photo_curves(captioner, reading, np.random.default_rng((seed, index)))
        for index, reading in tqdm(spoken, desc="hiding in the photo", unit="photo")
    ]
    photo = np.repeat([index for index, _ in spoken], [len(each) for each in curves])
    return {"photo": photo, "curves": np.concatenate(curves)}


def summarize_curves(table: dict[str, np.ndarray], cells: int, seed: int) -> dict:
    """Curves and their areas with intervals over photos, and what a word loses with the first eighth hidden."""
    counts = counts_in_photo(cells)
    areas = np.trapezoid(table["curves"], np.array(counts) / cells, axis=-1)  # (N, R, 2)
    eighth = counts.index(max(1, round(cells / 8)))
    found = {
        name: {
            "deletion": interval(areas[:, kind, 0], table["photo"], seed),
            "insertion": interval(areas[:, kind, 1], table["photo"], seed),
            "fall_of_an_eighth": interval(-table["curves"][:, kind, 0, eighth], table["photo"], seed),
        }
        for kind, name in enumerate(RANKINGS)
    }
    return {"photos": len(np.unique(table["photo"])), "words": len(areas), "counts": counts, "rankings": found}
