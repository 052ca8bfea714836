"""Deletion and insertion: hides the cells of one photo in several orders and measures its caption's words again."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from capmodel import Captioner
from capmodel.decoding.tokenizer import START
from capmodel.explain.occlusion import hide_cells
from capmodel.model.decoder import Memory
from capmodel.model.fast_decoder import FastDecoder
from train.metrics.attention import entropy
from train.metrics.saliency import (
    by_hiding,
    input_x_gradient,
    integrated_gradients,
    order_cells,
    rank_correlation,
    single_cells,
    smooth,
    windows,
    word_score,
)

DRAWS = 3  # random rankings a photo
ROWS = 64  # hidden grids a forward pass
BATCH = 8  # photos with hidden cells that the backbone sees at once
# Rankings that are computed for each word of a caption, from gradients or by hiding sets of cells.
OF_WORDS = (
    "input_x_gradient",
    "integrated_gradients",
    "evidence",
    "smoothed_evidence",
    "neighbour_pairs",
    "windows",
    "show_one",
    "both_ways",
)

Span = tuple[int, int]  # the half-open range of a word's tokens


@dataclass(frozen=True)
class Settings:
    """What a figure depends on beside data, model and precision.

    Attributes:
        captions: photos, the first of the split.
        in_photo: on how many of them, the first, cells are hidden in the photo, too. That takes most of the time.
        photo_curves: on how many, the first, whole curves are measured in the photo.
        cells: k, how many are hidden where photo and grid are compared.
        seed: of the random rankings and of the bootstrap.
    """

    captions: int = 300
    in_photo: int = 300
    photo_curves: int = 20
    cells: int = 8
    seed: int = 0


class Reading(NamedTuple):
    """A photo, and what the model wrote of it."""

    square: np.ndarray  # as the model sees it, uint8 (S, S, 3)
    grid: Tensor  # (L, D)
    tokens: list[int]  # of the caption
    words: list[tuple[str, int, int]]  # the W content words with the ranges of their tokens
    maps: np.ndarray  # (W, L), where it looked for them


def measure_photo(
    captioner: Captioner,
    reading: Reading,
    stranger: np.ndarray,
    counts: Sequence[int],
    settings: Settings,
    random: np.random.Generator,
    in_photo: bool,
) -> dict[str, np.ndarray]:
    """Hides cells of one photo in every way that is compared.

    Args:
        stranger: a map (L,) of another photo, which stands in where the caption has but one content word.
        counts: C numbers of cells, the first 0, the last all.
        in_photo: whether to hide cells in the photo, too; otherwise ``pixels`` is NaN.

    Returns:
        For each of W words, with R rankings (its own map, other words' maps, random cells, then `OF_WORDS`): ``whole``
        (W,), its log-probability; what it is less than that when cells are hidden, ``grid`` (W, R, 2, C), deletion and
        insertion, and ``pixels`` (W, R); ``correlation`` (W, R - 3, 2) of its map with `OF_WORDS`, and with their sizes
        whatever the sign; ``completeness`` (W, 2), the sum of integrated gradients and what it should be; ``entropy``
        (W,) of its map, and ``overlap`` (W,), the share of its first k cells that are also another word's; ``seconds``
        (W, R - 3), what the caption's `OF_WORDS` took.
    """
    spans = [(start, stop) for _, start, stop in reading.words]
    words, tokens = len(spans), reading.tokens[: spans[-1][1]]
    cells, side = len(reading.grid), captioner.model.encoder.grid_size
    quick, memory = captioner.decoder, captioner.decoder.prepare(reading.grid[None])
    ends = torch.tensor([[False], [True]]).expand(2, cells)
    whole, blind = logprobs_hidden(quick, memory, tokens, spans, ends).numpy()

    # Rankings that all words share: a pass measures all words, so another word's map costs nothing more.
    maps = reading.maps if words > 1 else np.stack([*reading.maps, stranger])
    shared = np.concatenate([order_cells(np.zeros((DRAWS, cells)), random), order_cells(maps, random)])
    hidden = deletion_and_insertion(shared, counts[1:-1])
    by_map = compare(logprobs_hidden(quick, memory, tokens, spans, hidden).numpy(), words)  # (W, 3, 2, C - 2)

    values, seconds = explain_words(captioner, reading)
    orders = order_cells(values, random)  # (W, R - 3, L)
    hidden = deletion_and_insertion(orders, counts[1:-1])
    of_words = np.stack(
        [logprobs_hidden(quick, memory, tokens, spans, hidden[word]).numpy()[..., word] for word in range(words)]
    )
    curves = np.concatenate([by_map, of_words], 1)
    first, last = (np.broadcast_to(end[:, None, None], (*curves.shape[:2], 1)) for end in (whole, blind))
    deletion = np.concatenate([first, curves[:, :, 0], last], -1)
    insertion = np.concatenate([last, curves[:, :, 1], first], -1)

    pixels = np.full((words, len(orders[0]) + 3), np.nan)
    if in_photo:
        chosen = [*shared[:, : settings.cells], *orders[..., : settings.cells].reshape(-1, settings.cells)]
        holes = [hide_cells(reading.square, each, side) for each in chosen]
        found = logprobs_of_squares(captioner, holes, tokens, spans).numpy()
        own = found[len(shared) :].reshape(*orders.shape[:2], words)[np.arange(words), :, np.arange(words)]
        pixels = np.concatenate([compare(found[: len(shared)], words), own], 1)

    hot = (shared[:, : settings.cells, None] == np.arange(cells)).any(1).astype(float)  # (R, L)
    overlap = compare(hot @ hot[DRAWS : DRAWS + words].T / settings.cells, words)
    return {
        "whole": whole,
        "grid": np.stack([deletion, insertion], 2) - whole[:, None, None, None],
        "pixels": pixels - whole[:, None],
        "correlation": np.array(
            [
                [[rank_correlation(looked, value) for value in (each, abs(each))] for each in of_word]
                for looked, of_word in zip(reading.maps, values, strict=True)
            ]
        ),
        "completeness": np.stack([values[:, OF_WORDS.index("integrated_gradients")].sum(-1), whole - blind], 1),
        "entropy": entropy(torch.from_numpy(reading.maps)).numpy(),
        "overlap": overlap[:, 1],
        "seconds": np.tile(seconds, (words, 1)),
    }


def explain_words(captioner: Captioner, reading: Reading) -> tuple[np.ndarray, list[float]]:
    """The value of each cell for each word, by `OF_WORDS` (W, kinds, L), and each kind's processor time in seconds."""
    spans = [(start, stop) for _, start, stop in reading.words]
    tokens, side = reading.tokens[: spans[-1][1]], captioner.model.encoder.grid_size
    quick, memory = captioner.decoder, captioner.decoder.prepare(reading.grid[None])
    grid = reading.grid.clone()  # no inference tensor any more: gradients are wanted

    def loss(hidden: Tensor) -> np.ndarray:
        """What each word loses when sets of cells (S, L) are hidden: (W, S)."""
        found = logprobs_hidden(quick, memory, tokens, spans, torch.cat([hidden, torch.zeros_like(hidden[:1])]))
        return (found[-1:] - found[:-1]).T.numpy()

    def by_gradient(explain) -> np.ndarray:
        scores = [word_score(captioner.model.decoder, tokens[:stop], start) for start, stop in spans]
        return np.stack([explain(score, grid).cpu().numpy() for score in scores])

    def gain() -> np.ndarray:
        """What each word gains from one cell alone when all others are hidden: (W, L)."""
        return loss(torch.ones(1, side**2, dtype=torch.bool)) - loss(~single_cells(side))

    kinds = {
        "input_x_gradient": lambda: by_gradient(input_x_gradient),
        "integrated_gradients": lambda: by_gradient(integrated_gradients),
        "evidence": lambda: loss(single_cells(side)),
        "smoothed_evidence": lambda: smooth(loss(single_cells(side)), side),
        "neighbour_pairs": lambda: by_hiding(loss, torch.cat([windows(side, 1, 2), windows(side, 2, 1)])),
        "windows": lambda: by_hiding(loss, windows(side, 2, 2)),
        "show_one": gain,
        "both_ways": lambda: (loss(single_cells(side)) + gain()) / 2,
    }
    values, seconds = [], []
    for name in OF_WORDS:
        began = time.process_time()
        values.append(kinds[name]())
        seconds.append(time.process_time() - began)
    return np.stack(values, 1), seconds


def compare(values: np.ndarray, words: int) -> np.ndarray:
    """What each of W words got from its own map, from other words' maps, and from random cells: (W, 3, ...).

    Args:
        values: (R, ..., W), by ranking: first the random ones, then each word's, then maybe a stranger's.
    """
    values = np.moveaxis(values, -1, 0)  # (W, R, ...)
    random, by_map = values[:, :DRAWS], values[:, DRAWS:]
    own = by_map[np.arange(words), np.arange(words)]
    others = (by_map.sum(1) - own) / (by_map.shape[1] - 1)
    return np.stack([own, others, random.mean(1)], 1)


def word_logprobs(
    decoder: FastDecoder, memory: Memory, tokens: Sequence[int], spans: Sequence[Span], hidden: Tensor | None = None
) -> Tensor:
    """The log-probability of each of W words of a caption, after the words before it: as `FastDecoder.logprobs` (B, K, W)."""
    logprobs = decoder.logprobs(torch.tensor([START, *tokens], device=memory.grid.device), memory, hidden)
    return torch.stack([logprobs[..., start:stop].sum(-1) for start, stop in spans], -1).cpu()


@torch.inference_mode()
def logprobs_of_squares(
    captioner: Captioner, squares: Sequence[np.ndarray], tokens: Sequence[int], spans: Sequence[Span]
) -> Tensor:
    """`word_logprobs` on each of N photos: (N, W)."""
    found = []
    for first in range(0, len(squares), BATCH):
        memory = captioner.decoder.prepare(captioner.encode(squares[first : first + BATCH]))
        found.append(word_logprobs(captioner.decoder, memory, tokens, spans)[:, 0])
    return torch.cat(found)


@torch.inference_mode()
def logprobs_hidden(
    decoder: FastDecoder, memory: Memory, tokens: Sequence[int], spans: Sequence[Span], hidden: Tensor, rows: int = ROWS
) -> Tensor:
    """`word_logprobs` with cells hidden in the grid of one photo: hidden (..., L) -> (..., W).

    Args:
        rows: grids a forward pass; no result depends on it.
    """
    parts = hidden.flatten(0, -2).to(memory.grid.device).split(rows)
    found = [word_logprobs(decoder, memory, tokens, spans, part)[0] for part in parts]
    return torch.cat(found).view(*hidden.shape[:-1], -1)


def deletion_and_insertion(orders: np.ndarray, counts: Sequence[int]) -> Tensor:
    """Which cells are hidden at each of C counts, for rankings (..., L): bool (..., 2, C, L).

    Deletion hides the first cells of the ranking; insertion shows them, and hides the rest.
    """
    place = torch.from_numpy(np.argsort(orders, -1))  # of each cell in the ranking
    first = place[..., None, :] < torch.tensor(counts)[:, None]
    return torch.stack([first, ~first], -3)
