"""How attention is spread: over the cells of a map, and over the words of a caption."""

import numpy as np
import torch
from torch import Tensor

from capmodel import Caption

IN_USE = 0.001  # of the attention: a cell with more counts as looked at


def entropy(weights: Tensor) -> Tensor:
    """Of weights (..., L) in nats (...): 0 on one cell, log L if all are alike."""
    return torch.special.entr(weights).sum(-1)


def unevenness(weights: Tensor, real: Tensor) -> Tensor:
    """How unlike the cells are in what a caption gave them in all: weights (B, K, T, L), `real` tokens (B, K, T) -> (B, K).

    The mean of (1 - share)**2, where a cell's share is 1 if it got as much as the average cell.
    """
    given = (weights * real[..., None]).sum(2)
    return (1 - given / given.mean(-1, keepdim=True)).square().mean(-1)


def describe_maps(caption: Caption) -> tuple[float, float]:
    """Of a caption's maps, on average over its words: how many cells are in use, and the entropy in nats."""
    weights = np.stack([word.weights.ravel() for word in caption.words])
    return float((weights > IN_USE).sum(-1).mean()), entropy(torch.from_numpy(weights)).mean().item()
