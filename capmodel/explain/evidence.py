"""What mattered: how much less probable each word gets when one cell is hidden.

Attention says where the decoder read; evidence says what the word would lose without it. It is the leave-one-out
form of the occlusion of Zeiler & Fergus (2014), in nats, as Li et al. (2016), "Understanding Neural Networks through
Representation Erasure", measured it for text.

Hidden in the grid, a cell's vector becomes the grid's mean. The decoder then reads the same caption once for every
hidden cell, all in one batch, which takes about as long as to write the caption. A cell's vector has seen far more of
the photo than its square, so to hide a place, hide it in the photo: a square takes the photo's mean colour, and the
backbone runs again. That takes as long as captioning L photos.

Asked the other way round, each cell is shown alone, with all others hidden: how much more probable is the word than
with all cells hidden? Words that several cells support lose little without any one of them, but gain from each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from capmodel.caption import Caption, Evidence
from capmodel.decoding.tokenizer import START, Tokenizer
from capmodel.explain.occlusion import hide_cells

if TYPE_CHECKING:  # the captioner itself measures evidence
    from capmodel.captioner import Captioner

BATCH = 8  # photos with a hidden square in a forward pass of the backbone


@torch.inference_mode()
def grid_evidence(captioner: Captioner, grid: Tensor, caption: Caption, alone: bool = False) -> Evidence:
    """Evidence of a caption's words, with cells hidden in the grid (L, D) of its photo.

    Args:
        alone: show each cell alone instead of hiding it alone.
    """
    tokens, spans = spell(captioner.tokenizer, [word.text for word in caption.words])
    memory = captioner.decoder.prepare(grid[None])
    hidden = _hidden(len(grid), alone).to(grid.device)
    logprobs = captioner.decoder.logprobs(tokens.to(grid.device), memory, hidden)[0]
    return _evidence(logprobs, spans, "grid", alone)


@torch.inference_mode()
def photo_evidence(captioner: Captioner, square: np.ndarray, caption: Caption, alone: bool = False) -> Evidence:
    """Evidence of a caption's words, with squares hidden in the photo.

    Args:
        square: the photo from `captioner.load_square`, uint8 (S, S, 3).
        alone: show each square alone instead of hiding it alone.
    """
    side = captioner.model.encoder.grid_size
    tokens, spans = spell(captioner.tokenizer, [word.text for word in caption.words])
    found = []
    for some in _hidden(side**2, alone).split(BATCH):
        grids = captioner.encode([hide_cells(square, cells.nonzero()[:, 0].tolist(), side) for cells in some])
        found.append(captioner.decoder.logprobs(tokens.to(grids.device), captioner.decoder.prepare(grids))[:, 0])
    return _evidence(torch.cat(found), spans, "photo", alone)


def spell(tokenizer: Tokenizer, words: Sequence[str]) -> tuple[Tensor, list[tuple[int, int]]]:
    """A caption's tokens (T + 1,), the first of them `START`, and the half-open range of each word's among the others."""
    pieces = [tokenizer.encode(word) for word in words]
    spans = list(pairwise(accumulate(map(len, pieces), initial=0)))
    return torch.tensor([START, *(token for word in pieces for token in word)]), spans


def _hidden(cells: int, alone: bool) -> Tensor:
    """Which of L cells are hidden, (L + 2, L): for each cell that one, or all but that one; then all; then none."""
    one = torch.eye(cells, dtype=torch.bool)
    return torch.cat([~one if alone else one, torch.tensor([[True], [False]]).expand(2, cells)])


def _evidence(logprobs: Tensor, spans: Sequence[tuple[int, int]], hidden_in: str, alone: bool) -> Evidence:
    """From the log-probabilities of the tokens (L + 2, T), with cells hidden as `_hidden` has them."""
    words = torch.stack([logprobs[:, start:stop].sum(1) for start, stop in spans])  # (words, L + 2)
    changed, blind, whole = words[:, :-2], words[:, -2:-1], words[:, -1:]
    side = math.isqrt(changed.shape[1])
    nats = (changed - blind if alone else whole - changed).view(-1, side, side)
    return Evidence(nats.cpu().numpy(), (blind - whole)[:, 0].exp().cpu().numpy(), hidden_in, alone)
