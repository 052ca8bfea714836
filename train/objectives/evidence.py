"""Teaches attention to look where it matters: each token's attention is pulled towards its evidence.

As "right for the right reasons" (Ross et al. 2017) and supervised attention (Liu et al. 2016, "Neural Machine
Translation with Supervised Attention") do, but the evidence is the model's own, measured anew at every step.
"""

import torch
from torch import Tensor

from capmodel.decoding.tokenizer import PAD
from capmodel.model.fast_decoder import FastDecoder

LEAST = 1e-6  # probability: the logarithm of a cell that sparsemax leaves out


@torch.no_grad()
def token_evidence(decoder: FastDecoder, grid: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """What each token of B captions would lose.

    Args:
        decoder: reads the weights as they are now, without dropout.
        grid: (B, L, D).
        tokens: (B, T) from start to end, padded.

    Returns:
        (B, T - 1, L): by how many nats its log-probability falls when a cell is hidden, and (B, T - 1): when all are.
    """
    cells = grid.shape[1]
    hidden = torch.cat([torch.eye(cells), torch.ones(1, cells), torch.zeros(1, cells)]).bool().to(grid.device)
    normalizer = decoder.decoder.attention.normalizer
    training = normalizer.training
    normalizer.eval()  # hard attention draws cells in training
    lost = grid.new_zeros(len(grid), tokens.shape[1] - 1, cells + 1)
    for photo, caption, found in zip(grid, tokens, lost, strict=True):
        length = int((caption != PAD).sum())
        with torch.autocast(grid.device.type, enabled=False):  # differences of nearly equal numbers
            logprobs = decoder.logprobs(caption[:length], decoder.prepare(photo[None]), hidden)[0]
        found[: length - 1] = (logprobs[-1:] - logprobs[:-1]).T
    normalizer.train(training)
    return lost[..., :-1], lost[..., -1]


def evidence_loss(weights: Tensor, lost: Tensor, lost_in_all: Tensor) -> Tensor:
    """The sum over tokens of the divergence of attention from positive evidence, in nats.

    Each token counts by the share of its probability that it loses when all cells are hidden: no place matters for a
    token that the tokens before it decide.

    Args:
        weights: attention (B, T, L), with gradients.
        lost, lost_in_all: from `token_evidence`, (B, T, L) and (B, T).
    """
    speaks_for = lost.clamp(min=0)
    total = speaks_for.sum(-1)
    target = speaks_for / total.clamp(min=LEAST)[..., None]
    divergence = (target * ((target + LEAST).log() - (weights + LEAST).log())).sum(-1)
    counts = (1 - (-lost_in_all).exp()).clamp(min=0) * (total > LEAST)
    return (counts * divergence).sum()
