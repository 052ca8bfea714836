"""Writes "a person" where the model cannot tell a man from a woman."""

from math import log

import torch
from torch import Tensor


def hedge(logprobs: Tensor, gendered: Tensor, ratio: float) -> Tensor:
    """Gives the probability of two words to the word that holds for either, where neither is clearly more probable.

    Deng et al. (2012), "Hedging Your Bets: Optimizing Accuracy-Specificity Trade-offs in Large Scale Visual
    Recognition": what is unsure is better said in a more general word.

    Args:
        logprobs: of the next token: (..., V).
        gendered: G tokens for men, for women and for either: (G, 3).
        ratio: how many times as probable one of two words must be to be written.

    Returns:
        New log-probabilities (..., V). Where words were hedged, those for men and women have -inf.
    """
    if not len(gendered):
        return logprobs.clone()
    tokens = gendered.flatten()
    words = logprobs.index_select(-1, tokens).unflatten(-1, (-1, 3))  # (..., G, 3)
    unsure = (words[..., 0] - words[..., 1]).abs() < log(ratio)
    general = torch.full_like(words, -torch.inf)
    general[..., 2] = words.logsumexp(-1)
    return logprobs.index_copy(-1, tokens, torch.where(unsure[..., None], general, words).flatten(-2))
