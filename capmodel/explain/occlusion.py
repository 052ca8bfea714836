"""Did it really look there? Hides part of the photo and asks the model again.

Zeiler & Fergus (2014), "Visualizing and Understanding Convolutional Networks", section 4.2, hid a
patch of the photo to see what a network's answer depends on. Attention says where the decoder read;
only such a test says whether that mattered. It needs two controls: hiding as many cells elsewhere
(does this place matter, or any hole?), and a decoder that sees no places at all, only the
average of the grid (does the language model write the word anyway?).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from capmodel.caption import Caption
from capmodel.decoding.options import DecodeOptions
from capmodel.decoding.tokenizer import START
from capmodel.explain.draws import draw, generator

if TYPE_CHECKING:
    from capmodel.captioner import Captioner

DRAWS = 5  # random sets of cells


@dataclass(frozen=True, eq=False)
class Occlusion:
    """How hiding cells of the photo changed a word.

    Attributes:
        caption: the model's caption with the cells hidden.
        before: the word's probability on the whole photo, 0..1, given the words before it.
        after: the same with the cells hidden.
        elsewhere: the same with as many random other cells hidden, for each of several draws.
        blind: the same for a decoder that sees the grid's average in every cell.
    """

    caption: Caption
    before: float
    after: float
    elsewhere: list[float]
    blind: float

    def as_dict(self) -> dict:
        """The numbers as plain values for JSON, without the caption."""
        return {
            "before": self.before,
            "after": self.after,
            "elsewhere": self.elsewhere,
            "blind": self.blind,
        }


@torch.inference_mode()
def occlude_word(
    captioner: Captioner,
    square: np.ndarray,
    words: Sequence[str],
    index: int,
    cells: Iterable[int],
    options: DecodeOptions = DecodeOptions(),
    seed: int = 0,
    grid: Tensor | None = None,
) -> Occlusion:
    """Hides cells of a photo and measures a word of its caption again.

    Args:
        square: the photo from `captioner.load_square`, uint8 (S, S, 3).
        words: the caption.
        index: index of the word.
        cells: cells to hide, numbered 0..L-1 row by row from the top left.
        seed: seed for the random cells.
        grid: the whole photo's grid (1, L, D), from `captioner.encode`; None: compute it.

    Raises:
        ValueError: there is no such word, or the cells are none, all, or not in the grid.
    """
    side = captioner.model.encoder.grid_size
    count = side**2
    chosen = sorted(set(cells))
    if not 0 <= index < len(words):
        raise ValueError(f"there is no word {index} in a caption of {len(words)}")
    if not chosen or len(chosen) == count or not 0 <= chosen[0] <= chosen[-1] < count:
        raise ValueError(f"cells to hide must be some, but not all, of 0..{count - 1}, not {chosen}")

    random = generator(seed)
    others = [cell for cell in range(count) if cell not in chosen]
    draws = [draw(others, min(len(chosen), len(others)), random) for _ in range(DRAWS)]
    hidden = captioner.encode([hide_cells(square, each, side) for each in (chosen, *draws)])
    whole = captioner.encode([square]) if grid is None else grid.to(hidden)
    grids = torch.cat([whole, hidden])
    blind = whole.mean(1, keepdim=True).expand(1, count, -1)
    before, after, *elsewhere, unseen = word_probability(captioner, torch.cat([grids, blind]), words, index).tolist()
    caption = captioner.describe(grids[1:2], options)[0][0]
    return Occlusion(caption, before, after, elsewhere, unseen)


def hide_cells(square: np.ndarray, cells: Iterable[int], side: int) -> np.ndarray:
    """A copy of a photo (S, S, 3) in which some cells have the mean colour of the whole photo.

    Black or white patches would look like objects; the mean colour is the most neutral.

    Args:
        cells: cells to hide, numbered 0..L-1 row by row from the top left.
        side: side of the grid in cells, L = side ** 2. If S is not a multiple of it, cells end at the nearest pixel.

    Raises:
        ValueError: a cell is not in the grid.
    """
    hidden = square.copy()
    edges = [round(len(square) * cell / side) for cell in range(side + 1)]
    mean = square.mean((0, 1)).round()
    for cell in cells:
        if not 0 <= cell < side**2:
            raise ValueError(f"there is no cell {cell} in a grid of {side} x {side}")
        row, column = divmod(cell, side)
        hidden[edges[row] : edges[row + 1], edges[column] : edges[column + 1]] = mean
    return hidden


@torch.inference_mode()
def word_probability(captioner: Captioner, grids: Tensor, words: Sequence[str], index: int) -> Tensor:
    """The probability of a caption's word given the words before it, for each of B grids (B, L, D): (B,)."""
    encode = captioner.tokenizer.encode
    before, tokens = encode(" ".join(words[:index])), encode(words[index])
    spelled = torch.tensor([before + tokens], device=grids.device)
    starts = torch.full_like(spelled[:, :1], START)
    logits, _ = captioner.model.decoder(grids, torch.cat([starts, spelled[:, :-1]], 1).expand(len(grids), 1, -1))
    logprobs = logits[:, 0].log_softmax(-1).gather(-1, spelled.expand(len(grids), -1)[..., None])[..., 0]
    return logprobs[:, len(before) :].sum(-1).exp()
