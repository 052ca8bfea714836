"""Writes "a person" where the model cannot tell a man from a woman."""

import torch
from torch import Tensor


def hedge(logprobs: Tensor, gendered: Tensor, share: float) -> Tensor:
    """Gives what two words have in common to the word that holds for either.

    With probabilities of 30 % for "man", 20 % for "woman" and 5 % for "person", 10 % are left for "man" and none for
    "woman", and "person" gets 45 %. So what is unsure is said in a more general word: Deng et al. (2012), "Hedging Your
    Bets: Optimizing Accuracy-Specificity Trade-offs in Large Scale Visual Recognition".

    Args:
        logprobs: of the next token: (..., V).
        gendered: G tokens for men, for women and for either: (G, 3).
        share: 0..1, how much of the smaller of two probabilities both words give away.

    Returns:
        New log-probabilities (..., V).
    """
    if not share or not len(gendered):
        return logprobs.clone()
    tokens = gendered.flatten()
    men, women, either = logprobs.index_select(-1, tokens).exp().unflatten(-1, (-1, 3)).unbind(-1)  # (..., G) each
    common = share * torch.minimum(men, women)
    hedged = torch.stack([men - common, women - common, either + 2 * common], -1).log()
    return logprobs.index_copy(-1, tokens, hedged.flatten(-2))
