"""What mattered: how much less probable each word gets when one cell is hidden.

Attention says where the decoder read; evidence says what the word would lose without it. It is the leave-one-out
form of the occlusion of Zeiler & Fergus (2014), in nats, as Li et al. (2016), "Understanding Neural Networks through
Representation Erasure", measured it for words.

Hidden in the grid, a cell's vector becomes the grid's mean, so that neither its place nor its content is known. The
decoder then reads the same caption for every hidden cell at once, which takes less time than to write it. A cell's
vector has seen far more of the photo than its square, so to hide a place, hide it in the photo: each square takes
the photo's mean colour, and the backbone runs again. That takes as long as captioning L photos.
"""

from __future__ import annotations

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
def grid_evidence(captioner: Captioner, grid: Tensor, caption: Caption) -> Evidence:
    """Evidence of a caption's words, with cells hidden in the grid (L, D) of its photo."""
    tokens, spans = spell(captioner.tokenizer, [word.text for word in caption.words])
    memory = captioner.decoder.prepare(grid[None])
    hidden = torch.cat([torch.eye(len(grid)), torch.ones(1, len(grid)), torch.zeros(1, len(grid))]).bool()
    logprobs = captioner.decoder.logprobs(tokens.to(grid.device), memory, hidden.to(grid.device))[0]
    return _evidence(logprobs, spans, captioner.model.encoder.grid_size, "grid")


@torch.inference_mode()
def photo_evidence(captioner: Captioner, square: np.ndarray, caption: Caption) -> Evidence:
    """Evidence of a caption's words, with squares hidden in the photo.

    Args:
        square: the photo from `captioner.load_square`, uint8 (S, S, 3).
    """
    side = captioner.model.encoder.grid_size
    tokens, spans = spell(captioner.tokenizer, [word.text for word in caption.words])
    hidden = [[cell] for cell in range(side**2)] + [range(side**2), []]
    found = []
    for first in range(0, len(hidden), BATCH):
        grids = captioner.encode([hide_cells(square, cells, side) for cells in hidden[first : first + BATCH]])
        found.append(captioner.decoder.logprobs(tokens.to(grids.device), captioner.decoder.prepare(grids))[:, 0])
    return _evidence(torch.cat(found), spans, side, "photo")


def spell(tokenizer: Tokenizer, words: Sequence[str]) -> tuple[Tensor, list[tuple[int, int]]]:
    """A caption's tokens (T + 1,), the first of them `START`, and the half-open range of each word's among the others."""
    pieces = [tokenizer.encode(word) for word in words]
    spans = list(pairwise(accumulate(map(len, pieces), initial=0)))
    return torch.tensor([START, *(token for word in pieces for token in word)]), spans


def _evidence(logprobs: Tensor, spans: Sequence[tuple[int, int]], side: int, hidden_in: str) -> Evidence:
    """From log-probabilities (L + 2, T) of the tokens: with each cell hidden, with all, and with none."""
    words = torch.stack([logprobs[:, start:stop].sum(1) for start, stop in spans])  # (words, L + 2)
    without, blind, whole = words[:, :-2], words[:, -2], words[:, -1:]
    nats = (whole - without).view(-1, side, side)
    return Evidence(nats.cpu().numpy(), (blind - whole[:, 0]).exp().cpu().numpy(), hidden_in)
