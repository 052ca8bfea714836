"""Turns attention scores into weights that sum to 1: softmax, sparsemax, or hard (one cell only)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Sparsemax(nn.Module):
    """The point on the simplex nearest to the scores: few positive weights, the rest exactly 0.

    Martins & Astudillo (2016), "From Softmax to Sparsemax", over the last axis.
    """

    def forward(self, scores: Tensor) -> Tensor:
        """Scores (..., L) -> weights (..., L)."""
        return _Sparsemax.apply(scores)


class _Sparsemax(torch.autograd.Function):
    @staticmethod
    def forward(context, scores: Tensor) -> Tensor:
        """max(0, scores - tau), with the tau that makes the sum 1 (their algorithm 1)."""
        exact = scores.to(torch.promote_types(scores.dtype, torch.float32))
        exact = exact - exact.amax(-1, keepdim=True)  # affects only rounding errors
        largest_first = exact.sort(-1, descending=True).values
        rank = torch.arange(1, scores.shape[-1] + 1, device=scores.device)
        excess = largest_first.cumsum(-1) - 1  # of the sum of the k largest scores over 1
        support = (rank * largest_first > excess).sum(-1, keepdim=True)  # how many weights are positive
        tau = excess.gather(-1, support - 1) / support
        weights = (exact - tau).clamp(min=0).to(scores.dtype)
        context.save_for_backward(weights)
        return weights

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        """On the support, the gradient minus its mean there; elsewhere 0 (their equation 14)."""
        (weights,) = context.saved_tensors
        supported = weights > 0
        mean = (gradient * supported).sum(-1, keepdim=True) / supported.sum(-1, keepdim=True)
        return supported * (gradient - mean)


class Hard(nn.Module):
    """All the weight on one cell: a random one in training, the best one otherwise.

    Training draws from softmax(scores) with Gumbel noise, and passes the gradient through as if the
    weights were softmax((scores + noise) / temperature): straight-through Gumbel-softmax (Jang
    et al. 2017; Maddison et al. 2017). A low temperature reduces the gradient's bias but adds noise, so
    a training script lowers it gradually. Xu et al. (2015) trained hard attention with REINFORCE instead.
    """

    def __init__(self):
        super().__init__()
        self.temperature = 1.0

    def forward(self, scores: Tensor) -> Tensor:
        """Scores (..., L) -> weights (..., L), one of them 1."""
        if self.training:
            return F.gumbel_softmax(scores.float(), self.temperature, hard=True).to(scores.dtype)
        return F.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores.dtype)


NORMALIZERS = {"softmax": lambda: nn.Softmax(dim=-1), "sparsemax": Sparsemax, "hard": Hard}


def make_normalizer(name: str) -> nn.Module:
    """The module that turns scores (..., L) into weights that sum to 1 over the last axis.

    Raises:
        ValueError: no normalizer has this name.
    """
    if name not in NORMALIZERS:
        raise ValueError(f"There is no attention {name!r}; choose from {', '.join(NORMALIZERS)}.")
    return NORMALIZERS[name]()
