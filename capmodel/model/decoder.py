"""The LSTM that writes the caption one token at a time, looking at the grid before each."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from capmodel.model.attention import AdditiveAttention
from capmodel.model.normalizers import make_normalizer


class Memory(NamedTuple):
    """What the decoder looks at: the same at every step and for all K captions of a photo."""

    grid: Tensor  # (B, L, D)
    keys: Tensor  # (B, L, A)


class State(NamedTuple):
    """What the LSTM carries from step to step (Hochreiter & Schmidhuber 1997)."""

    hidden: Tensor  # (B, K, H)
    cell: Tensor  # (B, K, H)


class Decoder(nn.Module):
    """Additive attention and an LSTM cell; the embedding is also the output layer.

    Tied embeddings: Press & Wolf (2017), "Using the Output Embedding to Improve Language Models".
    Dropout applies to the embedding, the attended sum and the output, in training only.

    Shapes: B photos, K captions per photo, T tokens, L cells, D channels, H hidden, V vocabulary.
    """

    def __init__(
        self,
        *,
        channels: int,
        vocabulary: int,
        hidden: int = 512,
        attention_size: int = 256,
        normalizer: str = "softmax",
        dropout: float = 0.3,
    ):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, hidden)
        self.attention = AdditiveAttention(channels, hidden, attention_size, make_normalizer(normalizer))
        self.lstm = nn.LSTMCell(hidden + channels, hidden)
        self.output_bias = nn.Parameter(torch.zeros(vocabulary))
        self.dropout = nn.Dropout(dropout)
        # Small, because it is also the output layer: the first logits should be near 0.
        nn.init.normal_(self.embedding.weight, std=hidden**-0.5)

    def prepare(self, grid: Tensor) -> Memory:
        """Grid (B, L, D) -> the memory that `step` reads."""
        return Memory(grid, self.attention.project(grid))

    def start(self, memory: Memory, captions: int) -> State:
        """Zeros for K = `captions` captions per photo."""
        shape = (len(memory.grid), captions, self.lstm.hidden_size)
        return State(memory.grid.new_zeros(shape), memory.grid.new_zeros(shape))

    def step(self, tokens: Tensor, state: State, memory: Memory) -> tuple[Tensor, State, Tensor]:
        """Reads the tokens (B, K) and returns logits (B, K, V) for the next ones, state, weights (B, K, L).

        The weights say where it looked to choose the next token.
        """
        state, weights = self._advance(self._embed(tokens), state, memory)
        return self._logits(state.hidden), state, weights

    def forward(self, grid: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Teacher forcing: grid (B, L, D), tokens (B, K, T) -> logits (B, K, T, V), weights (B, K, T, L).

        Equivalent to T calls of `step`, but faster: the output layer runs on all steps at once.
        """
        memory = self.prepare(grid)
        state = self.start(memory, tokens.shape[1])
        hidden, looked = [], []
        for embedded in self._embed(tokens).unbind(2):
            state, weights = self._advance(embedded, state, memory)
            hidden.append(state.hidden)
            looked.append(weights)
        return self._logits(torch.stack(hidden, 2)), torch.stack(looked, 2)

    def _embed(self, tokens: Tensor) -> Tensor:
        return self.dropout(self.embedding(tokens))

    def _advance(self, embedded: Tensor, state: State, memory: Memory) -> tuple[State, Tensor]:
        context, weights = self.attention(memory.grid, memory.keys, state.hidden)
        inputs = torch.cat([embedded, self.dropout(context)], -1)
        # LSTMCell takes a single batch axis: merge photos and captions.
        hidden, cell = self.lstm(inputs.flatten(0, 1), (state.hidden.flatten(0, 1), state.cell.flatten(0, 1)))
        return State(hidden.view_as(state.hidden), cell.view_as(state.cell)), weights

    def _logits(self, hidden: Tensor) -> Tensor:
        return F.linear(self.dropout(hidden), self.embedding.weight, self.output_bias)
