"""Deletion and insertion: hides the cells of one photo in several orders and measures its caption's words again."""

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
from train.metrics.saliency import input_x_gradient, integrated_gradients, order_cells, rank_correlation, word_score

DRAWS = 3  # random rankings a photo
ROWS = 64  # hidden grids a forward pass

Span = tuple[int, int]  # the half-open range of a word's tokens


@dataclass(frozen=True)
class Settings:
    """What a figure depends on beside data, model and precision.

    Attributes:
        captions: photos, the first of the split.
        cells: k, how many are hidden where photo and grid are compared.
        seed: of the random rankings and of the bootstrap.
    """

    captions: int = 300
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
) -> dict[str, np.ndarray]:
    """Hides cells of one photo in every way that is compared.

    Args:
        stranger: a map (L,) of another photo, which stands in where the caption has but one content word.
        counts: C numbers of cells, the first 0, the last all.

    Returns:
        For each of W words: ``whole`` (W,), its log-probability; what it is less than that when cells
        are hidden, ``grid`` (W, 5 rankings, 2, C), deletion and insertion, and ``pixels`` (W, 3); ``correlation``
        (W, 2, 2) of its map with both gradients, and with their sizes whatever the sign; ``completeness``
        (W, 2), the sum of integrated gradients and what it should be; ``entropy`` (W,) of its map, and
        ``overlap`` (W,), the share of its first k cells that are also another word's.
    """
    decoder, spans = captioner.model.decoder, [(start, stop) for _, start, stop in reading.words]
    words, tokens = len(spans), reading.tokens[: spans[-1][1]]
    grid = reading.grid.clone()  # no inference tensor any more: gradients are wanted
    quick, memory = captioner.decoder, captioner.decoder.prepare(grid[None])
    ends = torch.tensor([[False], [True]]).expand(2, len(grid))
    whole, blind = logprobs_hidden(quick, memory, tokens, spans, ends).numpy()

    # Rankings that all words share, R in all: a pass measures all words, so another word's map costs nothing more.
    maps = reading.maps if words > 1 else np.stack([*reading.maps, stranger])
    orders = np.concatenate([order_cells(np.zeros((DRAWS, len(grid))), random), order_cells(maps, random)])
    hidden = deletion_and_insertion(orders, counts[1:-1])
    curves = compare(logprobs_hidden(quick, memory, tokens, spans, hidden).numpy(), words)  # (W, 3, 2, C - 2)

    by_gradient, correlation, completeness = [], [], []
    for own, (start, stop), gained in zip(reading.maps, spans, whole - blind, strict=True):
        score = word_score(decoder, tokens[:stop], start)
        values = torch.stack([input_x_gradient(score, grid), integrated_gradients(score, grid)]).cpu().numpy()
        hidden = deletion_and_insertion(order_cells(values, random), counts[1:-1])
        by_gradient.append(logprobs_hidden(quick, memory, tokens[:stop], [(start, stop)], hidden)[..., 0].numpy())
        correlation.append([[rank_correlation(own, value) for value in (given, abs(given))] for given in values])
        completeness.append([values[1].sum(), gained])
    curves = np.concatenate([curves, by_gradient], 1)
    first, last = (np.broadcast_to(end[:, None, None], (*curves.shape[:2], 1)) for end in (whole, blind))
    deletion = np.concatenate([first, curves[:, :, 0], last], -1)
    insertion = np.concatenate([last, curves[:, :, 1], first], -1)

    chosen = orders[:, : settings.cells]
    holes = [hide_cells(reading.square, cells, captioner.model.encoder.grid_size) for cells in chosen]
    seen = quick.prepare(captioner.encode(holes))
    pixels = compare(word_logprobs(quick, seen, tokens, spans).cpu().numpy(), words)

    hot = (chosen[:, :, None] == np.arange(len(grid))).any(1).astype(float)  # (R, L)
    overlap = compare(hot @ hot[DRAWS : DRAWS + words].T / settings.cells, words)
    return {
        "whole": whole,
        "grid": np.stack([deletion, insertion], 2) - whole[:, None, None, None],
        "pixels": pixels - whole[:, None],
        "correlation": np.array(correlation),
        "completeness": np.array(completeness),
        "entropy": entropy(torch.from_numpy(reading.maps)).numpy(),
        "overlap": overlap[:, 1],
    }


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


def hide(memory: Memory, hidden: Tensor) -> Memory:
    """A photo's memory (1, L, ...) with the grid's mean in the cells of each row `hidden` (N, L): (N, L, ...).

    Keys, and what the gates read, are linear in a cell's vector, so those of the mean are their means.
    """
    return Memory(*(torch.where(hidden[..., None], part.mean(1, keepdim=True), part) for part in memory))


@torch.inference_mode()
def word_logprobs(decoder: FastDecoder, memory: Memory, tokens: Sequence[int], spans: Sequence[Span]) -> Tensor:
    """The log-probability of each of W words of a caption, after the words before it, on N grids: (N, W)."""
    state = decoder.start(memory, 1)
    found = []
    for read, wanted in zip((START, *tokens[:-1]), tokens, strict=True):
        column = torch.full((len(memory.grid), 1), read, device=memory.grid.device)
        logits, state, _ = decoder.step(column, state, memory)
        found.append(logits[:, 0].float().log_softmax(-1)[:, wanted])
    return torch.stack([torch.stack(found[start:stop]).sum(0) for start, stop in spans], -1)


@torch.inference_mode()
def logprobs_hidden(
    decoder: FastDecoder, memory: Memory, tokens: Sequence[int], spans: Sequence[Span], hidden: Tensor, rows: int = ROWS
) -> Tensor:
    """`word_logprobs` with cells hidden in the grid of one photo: hidden (..., L) -> (..., W).

    Args:
        rows: grids a forward pass; no result depends on it.
    """
    parts = hidden.flatten(0, -2).to(memory.grid.device).split(rows)
    found = [word_logprobs(decoder, hide(memory, part), tokens, spans) for part in parts]
    return torch.cat(found).view(*hidden.shape[:-1], -1).cpu()


def deletion_and_insertion(orders: np.ndarray, counts: Sequence[int]) -> Tensor:
    """Which cells are hidden at each of C counts, for rankings (..., L): bool (..., 2, C, L).

    Deletion hides the first cells of the ranking; insertion shows them, and hides the rest.
    """
    place = torch.from_numpy(np.argsort(orders, -1))  # of each cell in the ranking
    first = place[..., None, :] < torch.tensor(counts)[:, None]
    return torch.stack([first, ~first], -3)
