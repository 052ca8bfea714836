"""Teacher forcing with cross-entropy, and penalties that shape the attention maps."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from capmodel.decoding.tokenizer import PAD, START, UNKNOWN
from capmodel.model.decoder import Decoder
from capmodel.model.fast_decoder import FastDecoder
from capmodel.model.normalizers import Hard
from train.fit import Batch
from train.metrics.attention import entropy
from train.objectives.evidence import evidence_loss, token_evidence

EVIDENCE_PHOTOS = (
    4  # of a batch whose evidence is measured, with one caption each: that takes about as long as the rest
)


@dataclass(frozen=True)
class Regularization:
    """Keeps the decoder from memorizing the training captions, and shapes its maps.

    Attributes:
        label_smoothing: the share of the target spread over all tokens: Szegedy et al. (2016),
            "Rethinking the Inception Architecture", section 7.
        doubly_stochastic: weight of a penalty on cells that a whole caption looks at less or more
            than others: Xu et al. (2015), section 4.2.1.
        entropy: weight of the maps' mean entropy in nats: more makes them sharper.
        cell_dropout: probability of a cell to be hidden from a caption: its vector is then the
            mean of the grid.
        word_dropout: probability of a token to be read as the unknown one, so that the decoder has to look
            where it could have gone on from memory: Bowman et al. (2016), "Generating Sentences from a
            Continuous Space".
        evidence: weight of the divergence of attention from the evidence for each token, in nats.
    """

    label_smoothing: float = 0.1
    doubly_stochastic: float = 0.0
    entropy: float = 0.0
    cell_dropout: float = 0.0
    word_dropout: float = 0.0
    evidence: float = 0.0


class TeacherForcing(nn.Module):
    """Cross-entropy of each token given the right tokens before it, and the penalties."""

    def __init__(self, decoder: Decoder, regularization: Regularization = Regularization()):
        super().__init__()
        self.decoder = decoder
        self.regularization = regularization

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The mean loss over the tokens of the batch of all processes.

        ``batch``: grid (B, L, D), tokens (B, K, T) from start to end, the number ``targets`` of
        tokens to predict in an average process, so that the processes' mean weighs every token
        alike, and the ``temperature`` of hard attention.
        """
        wanted = self.regularization
        set_temperature(self.decoder, batch["temperature"])
        grid, tokens = batch["grid"].float(), batch["tokens"]
        read = drop_words(tokens[..., :-1], wanted.word_dropout)
        logits, weights = self.decoder(drop_cells(grid, wanted.cell_dropout), read)
        loss = F.cross_entropy(
            logits.flatten(0, 2).float(),
            tokens[..., 1:].flatten(),
            ignore_index=PAD,
            label_smoothing=wanted.label_smoothing,
            reduction="sum",
        )
        real = (tokens[..., 1:] != PAD).float()
        if wanted.entropy:
            loss = loss + wanted.entropy * (entropy(weights.float()) * real).sum()
        if wanted.doubly_stochastic:
            loss = loss + wanted.doubly_stochastic * (unevenness(weights.float(), real) * real.sum(-1)).sum()
        if wanted.evidence:
            some = slice(EVIDENCE_PHOTOS)
            lost = token_evidence(FastDecoder(self.decoder), grid[some].detach(), tokens[some, 0])
            stand_for = real.sum() / real[some, 0].sum()  # tokens of the batch for each of these
            loss = loss + wanted.evidence * stand_for * evidence_loss(weights[some, 0].float(), *lost)
        return {"loss": loss / batch["targets"]}


def set_temperature(decoder: Decoder, temperature: float) -> None:
    """Sets the temperature of hard attention; the other kinds have none."""
    if isinstance(decoder.attention.normalizer, Hard):
        decoder.attention.normalizer.temperature = temperature


def anneal(step: int, steps: int, first: float, last: float) -> float:
    """A temperature that falls from `first` to `last` by the same factor every step."""
    return first * (last / first) ** (step / max(1, steps - 1))


def drop_cells(grid: Tensor, probability: float) -> Tensor:
    """Puts the grid's mean (B, L, D) in the place of random cells."""
    if not probability:
        return grid
    dropped = torch.rand(grid.shape[:2], device=grid.device) < probability
    return torch.where(dropped[..., None], grid.mean(1, keepdim=True), grid)


def drop_words(tokens: Tensor, probability: float) -> Tensor:
    """Puts the unknown token in the place of random ones, of any shape; a caption's start stays."""
    if not probability:
        return tokens
    dropped = (torch.rand(tokens.shape, device=tokens.device) < probability) & (tokens != START)
    return tokens.masked_fill(dropped, UNKNOWN)


def unevenness(weights: Tensor, real: Tensor) -> Tensor:
    """How unevenly a whole caption looked at the cells: weights (B, K, T, L), `real` tokens (B, K, T) -> (B, K).

    The mean of (1 - share)**2, where a cell's share is 1 if it got as much as the average cell.
    """
    given = (weights * real[..., None]).sum(2)
    return (1 - given / given.mean(-1, keepdim=True)).square().mean(-1)
