"""Which cells of the grid a word depends on, according to gradients and to hiding cells."""

from collections.abc import Callable

import numpy as np
import torch
from captum.attr import InputXGradient, IntegratedGradients
from torch import Tensor

from capmodel.decoding.tokenizer import START
from capmodel.model.decoder import Decoder

PATH_STEPS = 8  # points on the path of integrated gradients (Gauss-Legendre)

Score = Callable[[Tensor], Tensor]


def word_score(decoder: Decoder, tokens: list[int], start: int) -> Score:
    """The log-probability of a word after the words before it, as a function of grids (B, L, D): (B,).

    Args:
        tokens: of the caption up to the word's last one.
        start: the place of the word's first token.
    """
    read = torch.tensor([START, *tokens[:-1]])
    spelled = torch.tensor(tokens[start:])

    def score(grids: Tensor) -> Tensor:
        logits, _ = decoder(grids, read.to(grids.device).expand(len(grids), 1, -1))
        logprobs = logits[:, 0, start:].log_softmax(-1)  # (B, tokens of the word, V)
        return logprobs.gather(-1, spelled.to(grids.device).expand(len(grids), -1)[..., None]).sum((1, 2))

    return score


def input_x_gradient(score: Score, grid: Tensor) -> Tensor:
    """Each cell's vector times the gradient there, summed: grid (L, D) -> (L,).

    Shrikumar et al. (2016), "Not Just a Black Box", section 3; by captum.
    """
    return InputXGradient(score).attribute(grid[None].requires_grad_())[0].sum(-1).detach()


def integrated_gradients(score: Score, grid: Tensor, steps: int = PATH_STEPS) -> Tensor:
    """The gradient along the straight path from the grid's mean in every cell: grid (L, D) -> (L,).

    Sundararajan et al. (2017), "Axiomatic Attribution for Deep Networks"; by captum. The values add
    up to what the word gains from the mean to the grid, if the score is smooth on the way: that of
    hard attention is not, it jumps where the path moves the best cell.
    """
    mean = grid.mean(0).expand_as(grid)
    found = IntegratedGradients(score).attribute(grid[None].clone(), mean[None], n_steps=steps)
    return found[0].sum(-1).detach().float()


def single_cells(side: int) -> Tensor:
    """Each cell of a grid as a set of its own: bool (L, L)."""
    return torch.eye(side**2, dtype=torch.bool)


def windows(side: int, rows: int, columns: int) -> Tensor:
    """All rectangles of `rows` x `columns` cells in a grid, as sets: bool (S, L)."""
    cells = torch.arange(side**2).view(side, side)
    sets = cells.unfold(0, rows, 1).unfold(1, columns, 1).flatten(2).flatten(0, 1)  # (S, cells in each)
    return torch.zeros(len(sets), side**2, dtype=torch.bool).scatter_(1, sets, True)


def by_hiding(loss: Callable[[Tensor], np.ndarray], sets: Tensor) -> np.ndarray:
    """The mean loss over the sets (S, L) that contain a cell, for each of W words: (W, L)."""
    members = sets.numpy().astype(float)
    return loss(sets) @ members / members.sum(0)


def smooth(values: np.ndarray, side: int) -> np.ndarray:
    """Each cell's mean (W, L) with its neighbours, up to 8, in a grid."""
    near = torch.nn.functional.avg_pool2d(
        torch.from_numpy(values).view(-1, side, side), 3, stride=1, padding=1, count_include_pad=False
    )
    return near.flatten(1).numpy()


def order_cells(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The cells of each row (..., L) from the highest value to the lowest; ties in random order.

    Sparse maps are 0 on most cells: in the order of the grid these would always begin at the sky.
    """
    shuffled = random.permuted(np.broadcast_to(np.arange(values.shape[-1]), values.shape), axis=-1)
    order = np.argsort(-np.take_along_axis(values, shuffled, -1), axis=-1, kind="stable")
    return np.take_along_axis(shuffled, order, -1)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's, of two values of the same cells: 1 ranked alike, 0 unrelated, or one is the same everywhere."""
    first, second = _ranks(first), _ranks(second)
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """1 for the lowest; equal values share the mean of their ranks."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]
