"""What the search knows of tokens, beside their probabilities."""

from typing import NamedTuple

import torch
from torch import Tensor

from capmodel.decoding.tokenizer import Tokenizer


class Lexicon(NamedTuple):
    """Tokens that the search treats with care.

    Attributes:
        content: for each of the V tokens, whether it begins a content word: (V,).
        gendered: tokens for men, for women and for either: (G, 3), as in `GENDERED_WORDS`.
    """

    content: Tensor
    gendered: Tensor

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "Lexicon":
        """What there is to know of a tokenizer's tokens, on the CPU."""
        gendered = torch.tensor(tokenizer.gendered, dtype=torch.long).view(-1, 3)
        return cls(torch.tensor(tokenizer.begins_content), gendered)

    def to(self, device: torch.device) -> "Lexicon":
        """The same on another device."""
        return Lexicon(self.content.to(device), self.gendered.to(device))
