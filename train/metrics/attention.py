"""How attention is spread over the grid."""

import numpy as np
import torch
from torch import Tensor

from capmodel import Caption

IN_USE = 0.001  # of the attention: a cell with more counts as looked at


def describe_maps(caption: Caption) -> tuple[float, float]:
    """Of a caption's maps, on average over its words: how many cells are in use, and the entropy in nats."""
    weights = np.stack([word.weights.ravel() for word in caption.words])
    return float((weights > IN_USE).sum(-1).mean()), entropy(torch.from_numpy(weights)).mean().item()


def entropy(weights: Tensor) -> Tensor:
    """Of weights (..., L) in nats (...): 0 on one cell, log L if all are alike."""
    return torch.special.entr(weights).sum(-1)
