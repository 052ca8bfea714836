"""The decoder as captioning uses it: the same numbers, from fewer and smaller products.

With few photos a step waits for memory: it reads millions of weights to multiply them with five rows of
numbers. Published models hold weights of 16 bits, so here they are read as such, and computed with in
fp32 all the same.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from capmodel.model.decoder import Decoder, Memory, State
from capmodel.model.fast_encoder import state_of

Linear = Callable[[Tensor], Tensor]


def has_kernel() -> bool:
    """Whether PyTorch multiplies fp32 numbers with 16-bit weights on this processor (x86 with AVX2)."""
    return "fbgemm" in torch.backends.quantized.supported_engines


class FastDecoder:
    """Steps like a `Decoder` in eval mode, without gradients; the decoder itself stays as it is.

    What it has made of the weights is kept, and made anew when they or their device have changed.

    The LSTM's gates read the attended sum of the cells linearly, so the sum of what they read of each cell is
    the same. That is computed once a photo, instead of once a step and beam: in this decoder's `Memory` it
    takes the place of the grid.
    """

    def __init__(self, decoder: Decoder):
        self.decoder = decoder
        self._layers: _Layers  # from the first `prepare` on
        self._state: tuple | None = None

    @torch.inference_mode()
    def prepare(self, grid: Tensor) -> Memory:
        """Grid (B, L, D) -> what `step` needs of it: what the gates read of it, (B, L, 4H), and keys (B, L, A)."""
        state = state_of(self.decoder)
        if state != self._state:
            self._layers, self._state = _Layers.of(self.decoder), state
        return Memory(self._layers.cells(grid), self._layers.keys(grid))

    def start(self, memory: Memory, captions: int) -> State:
        """Zeros for K = `captions` captions a photo."""
        return self.decoder.start(memory, captions)

    @torch.inference_mode()
    def step(self, tokens: Tensor, state: State, memory: Memory) -> tuple[Tensor, State, Tensor]:
        """As `Decoder.step`: what `nn.LSTMCell` does, its gates summed from two parts."""
        layers, decoder = self._layers, self.decoder
        attended, weights = decoder.attention.look(memory.grid, memory.keys, layers.query(state.hidden))  # (B, K, 4H)
        read = layers.gates(torch.cat([decoder.embedding(tokens), state.hidden], -1))
        enter, forget, candidate, leave = (attended + read).chunk(4, -1)
        cell = forget.sigmoid() * state.cell + enter.sigmoid() * candidate.tanh()
        hidden = leave.sigmoid() * cell.tanh()
        return layers.output(hidden), State(hidden, cell), weights


class _Layers(NamedTuple):
    """The decoder's linear layers, as one step needs them."""

    cells: Linear  # a cell's vector -> gates
    keys: Linear
    query: Linear
    gates: Linear  # embedding and hidden state -> gates
    output: Linear

    @classmethod
    def of(cls, decoder: Decoder) -> "_Layers":
        lstm, attention = decoder.lstm, decoder.attention
        embedded, attended = lstm.weight_ih.split([decoder.embedding.embedding_dim, attention.linear_e.in_features], 1)
        return cls(
            cells=_linear(attended),
            keys=_linear(attention.linear_e.weight, attention.linear_e.bias),
            query=_linear(attention.linear_d.weight, attention.linear_d.bias),
            gates=_linear(torch.cat([embedded, lstm.weight_hh], 1), lstm.bias_ih + lstm.bias_hh),
            output=_linear(decoder.embedding.weight, decoder.output_bias),
        )


def _linear(weight: Tensor, bias: Tensor | None = None) -> Linear:
    """`F.linear`, with the weights in 16 bits where nothing is lost by it and PyTorch has the kernel."""
    if weight.device.type == "cpu" and has_kernel() and torch.equal(weight, weight.half().to(weight.dtype)):
        packed = torch.ops.quantized.linear_prepack_fp16(weight, bias)
        return lambda inputs: torch.ops.quantized.linear_dynamic_fp16(inputs, packed)
    weight = weight.contiguous()
    return lambda inputs: F.linear(inputs, weight, bias)
