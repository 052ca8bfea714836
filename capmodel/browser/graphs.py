"""The captioner as three networks, cut where a search needs them apart. They compute what `FastDecoder` computes.

Shapes: B photos, K captions per photo, S image size, L cells, D channels, A attention size, H hidden, V vocabulary. B and
K are free; the others are the model's.

==============  =================================  ===========================================
graph           inputs                             outputs
==============  =================================  ===========================================
encoder         pixels uint8 (B, S, S, 3): RGB     grid (B, L, D)
prepare-KIND    grid (B, L, D)                     cells (B, L, 4H), keys (B, L, A)
step-KIND       tokens int32 (B, K),               logprobs (B, K, V), hidden_out (B, K, H),
                hidden (B, K, H),                  cell_out (B, K, H), weights (B, K, L)
                cell (B, K, H),
                cells (B, L, 4H), keys (B, L, A)
==============  =================================  ===========================================

Everything but pixels and tokens is float32. Cells are ordered row by row from the top left. A step reads the last token
of each caption (at first the start token, with zeros for `hidden` and `cell`) and gives the log-probabilities of the next
one and where it looked to choose it. `cells` and `keys` are linear in the grid: to hide a cell, put the mean over all cells
in its place, in both.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from capmodel.model.backbone import GridEncoder
from capmodel.model.decoder import Decoder

INPUTS = {
    "encoder": ["pixels"],
    "prepare": ["grid"],
    "step": ["tokens", "hidden", "cell", "cells", "keys"],
}
OUTPUTS = {
    "encoder": ["grid"],
    "prepare": ["cells", "keys"],
    "step": ["logprobs", "hidden_out", "cell_out", "weights"],
}


class EncoderGraph(nn.Module):
    """Pixels -> grid."""

    def __init__(self, encoder: GridEncoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, pixels: Tensor) -> Tensor:
        return self.encoder(pixels.permute(0, 3, 1, 2))


class PrepareGraph(nn.Module):
    """Grid -> what each cell adds to the LSTM's gates if it gets all the attention, and the keys to compare it by."""

    def __init__(self, decoder: Decoder):
        super().__init__()
        _, self.attended = _split(decoder)
        self.keys = decoder.attention.linear_e

    def forward(self, grid: Tensor) -> tuple[Tensor, Tensor]:
        return F.linear(grid, self.attended), self.keys(grid)


class StepGraph(nn.Module):
    """One step of the decoder for all captions."""

    def __init__(self, decoder: Decoder):
        super().__init__()
        self.embedded, _ = _split(decoder)
        self.recurrent = decoder.lstm.weight_hh
        self.gates_bias = nn.Parameter((decoder.lstm.bias_ih + decoder.lstm.bias_hh).detach())
        self.query, self.score = decoder.attention.linear_d, decoder.attention.linear_out
        self.normalizer = decoder.attention.normalizer
        self.embedding, self.output_bias = decoder.embedding, decoder.output_bias

    def forward(
        self, tokens: Tensor, hidden: Tensor, cell: Tensor, cells: Tensor, keys: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        scores = self.score((keys[:, None] + self.query(hidden)[:, :, None]).tanh()).squeeze(-1)
        weights = self.normalizer(scores)
        read = F.linear(self.embedding(tokens), self.embedded, self.gates_bias) + F.linear(hidden, self.recurrent)
        enter, forget, candidate, leave = (weights @ cells + read).chunk(4, -1)
        cell = forget.sigmoid() * cell + enter.sigmoid() * candidate.tanh()
        hidden = leave.sigmoid() * cell.tanh()
        logits = F.linear(hidden, self.embedding.weight, self.output_bias)
        return logits.log_softmax(-1), hidden, cell, weights


def example_inputs(graph: str, encoder: GridEncoder, decoder: Decoder) -> tuple[Tensor, ...]:
    """Inputs of the right shapes and types, for two photos with three captions each."""
    size, length = encoder.image_size, encoder.grid_size**2
    state = torch.zeros(2, 3, decoder.lstm.hidden_size)
    return {
        "encoder": (torch.zeros(2, size, size, 3, dtype=torch.uint8),),
        "prepare": (torch.zeros(2, length, encoder.channels),),
        "step": (
            torch.zeros(2, 3, dtype=torch.int32),
            state,
            state.clone(),
            torch.zeros(2, length, 4 * decoder.lstm.hidden_size),
            torch.zeros(2, length, decoder.attention.linear_e.out_features),
        ),
    }[graph]


def _split(decoder: Decoder) -> tuple[nn.Parameter, nn.Parameter]:
    """The LSTM's input weights: those for the embedding (4H, H), and those for the attended sum (4H, D)."""
    sizes = [decoder.embedding.embedding_dim, decoder.attention.linear_e.in_features]
    embedded, attended = decoder.lstm.weight_ih.detach().split(sizes, 1)
    return nn.Parameter(embedded.contiguous()), nn.Parameter(attended.contiguous())
