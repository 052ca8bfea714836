"""The decoder for inference: the same numbers, from fewer and smaller products.

With few photos, memory limits a step: it reads millions of weights to multiply them by five rows of
numbers. Published models store 16-bit weights, so here they are read as 16 bits, but still computed with in
fp32.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from capmodel.model.decoder import Decoder, Memory, State
from capmodel.model.prepared import Prepared

Linear = Callable[[Tensor], Tensor]


def has_kernel() -> bool:
    """Whether PyTorch can multiply fp32 numbers by 16-bit weights on this processor (x86 with AVX2)."""
    return "fbgemm" in torch.backends.quantized.supported_engines


class FastDecoder:
    """Steps like a `Decoder` in eval mode, without gradients; the decoder itself stays unchanged.

    The prepared weights are cached, and prepared again when the weights or their device change.

    The LSTM's gates are linear in the attended sum of the cells, so each cell's contribution to the gates can be
    computed first and then summed. This happens once per photo rather than once per step and beam; in this
    decoder's `Memory` the contributions take the place of the grid.
    """

    def __init__(self, decoder: Decoder):
        self.decoder = decoder
        self._prepared = Prepared(_Layers.of)
        self._layers: _Layers  # set by the first `prepare`

    @torch.inference_mode()
    def prepare(self, grid: Tensor) -> Memory:
        """Grid (B, L, D) -> the memory that `step` reads: contributions to the gates (B, L, 4H) and keys (B, L, A)."""
        self._layers = self._prepared.get(self.decoder)
        return Memory(self._layers.cells(grid), self._layers.keys(grid))

    def start(self, memory: Memory, captions: int) -> State:
        """Zeros for K = `captions` captions per photo."""
        return self.decoder.start(memory, captions)

    @torch.inference_mode()
    def step(self, tokens: Tensor, state: State, memory: Memory) -> tuple[Tensor, State, Tensor]:
        """As `Decoder.step`: computes `nn.LSTMCell`, with gates summed from three parts."""
        state, weights = self._advance(self._layers.embedded(tokens), state, memory)
        return self._layers.output(state.hidden), state, weights

    @torch.inference_mode()
    def logprobs(self, tokens: Tensor, memory: Memory, hidden: Tensor | None = None) -> Tensor:
        """Teacher forcing: the log-probability of each token of one caption, given those before it.

        Args:
            tokens: (T + 1,), the first of them `START`.
            memory: of B photos, from `prepare`.
            hidden: bool (K, L), the cells that are hidden from each of K readers, who find the grid's mean there; None:
                one reader, who sees all cells.

        Returns:
            (B, K, T).
        """
        state = self.start(memory, 1 if hidden is None else len(hidden))
        found = []
        for read, wanted in zip(self._layers.embedded(tokens[:-1]), tokens[1:], strict=True):
            state, _ = self._advance(read, state, memory, hidden)
            found.append(self._layers.output(state.hidden).log_softmax(-1)[..., wanted])
        return torch.stack(found, -1)

    def _advance(
        self, embedded: Tensor, state: State, memory: Memory, hidden: Tensor | None = None
    ) -> tuple[State, Tensor]:
        """Reads tokens that `_Layers.embedded` turned into gates (..., 4H)."""
        attended, weights = self._look(memory, self._layers.query(state.hidden), hidden)
        gates = attended + self._layers.recurrent(state.hidden) + embedded
        enter, forget, candidate, leave = gates.chunk(4, -1)
        cell = forget.sigmoid() * state.cell + enter.sigmoid() * candidate.tanh()
        return State(leave.sigmoid() * cell.tanh(), cell), weights

    def _look(self, memory: Memory, query: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor]:
        """The attended sum of contributions to the gates (B, K, 4H), and the weights (B, K, L)."""
        normalizer, scores = self.decoder.attention.normalizer, self._scores(memory.keys, query)
        if hidden is None:
            weights = normalizer(scores)
            return weights @ memory.grid, weights
        # What is linear in a cell's vector is for the mean vector the mean. So the memory stays one for all K readers;
        # only their scores and weights differ.
        mean = Memory(*(part.mean(1, keepdim=True) for part in memory))
        weights = normalizer(torch.where(hidden, self._scores(mean.keys, query), scores))
        seen = weights.masked_fill(hidden, 0)
        return seen @ memory.grid + (weights - seen).sum(-1, keepdim=True) * mean.grid, weights

    def _scores(self, keys: Tensor, query: Tensor) -> Tensor:
        """Keys (B, L, A), query (B, K, A) -> (B, K, L), up to a constant."""
        return (keys[:, None] + query[:, :, None]).sigmoid_() @ self._layers.score  # in place: the largest tensor


class _Layers(NamedTuple):
    """The decoder's linear layers, arranged for one step.

    PyTorch computes a sigmoid several times faster than a tanh. So attention's tanh(x) is 2 sigmoid(2x) - 1 here: keys
    and queries are doubled, and scores lack a constant that no normalizer notices.
    """

    cells: Linear  # a cell's vector -> gates
    keys: Linear
    query: Linear
    score: Tensor  # (A,), sigmoid(keys + query) -> scores
    embedded: "_TokenGates"  # tokens -> gates
    recurrent: Linear  # hidden state -> gates
    output: Linear

    @classmethod
    def of(cls, decoder: Decoder) -> "_Layers":
        lstm, attention = decoder.lstm, decoder.attention
        embedded, attended = lstm.weight_ih.split([decoder.embedding.embedding_dim, attention.linear_e.in_features], 1)
        return cls(
            cells=_linear(attended),
            keys=_linear(2 * attention.linear_e.weight, 2 * attention.linear_e.bias),
            query=_linear(2 * attention.linear_d.weight, 2 * attention.linear_d.bias),
            score=2 * attention.linear_out.weight[0],
            embedded=_TokenGates(decoder.embedding.weight, _linear(embedded, lstm.bias_ih + lstm.bias_hh)),
            recurrent=_linear(lstm.weight_hh),
            output=_linear(decoder.embedding.weight, decoder.output_bias),
        )


class _TokenGates:
    """The contribution of each token to the LSTM's gates.

    On a processor, it is computed when a token is first read: captions are made of few tokens, so nearly every product
    has been computed before. On a GPU, which would have to be asked whether a token is new, all are computed at once.
    """

    def __init__(self, embedding: Tensor, linear: Linear):
        self._embedding, self._linear = embedding, linear
        self._lazy = embedding.device.type == "cpu"
        if self._lazy:
            self._gates = embedding.new_empty(len(embedding), linear(embedding[:1]).shape[-1])
            self._known = torch.zeros(len(embedding), dtype=torch.bool)
        else:
            self._gates = linear(embedding)

    def __call__(self, tokens: Tensor) -> Tensor:
        """Tokens, of any shape -> gates (..., 4H)."""
        if self._lazy:
            new = tokens[~self._known[tokens]].unique()
            for token in new.tolist():
                # One by one: some processors round a product of few rows differently from one of many (AVX2's kernels for
                # 16-bit weights do), so a token's gates would depend on which tokens were first read with it.
                self._gates[token] = self._linear(self._embedding[token : token + 1])[0]
            self._known[new] = True
        return self._gates[tokens]


def _linear(weight: Tensor, bias: Tensor | None = None) -> Linear:
    """`F.linear`, with 16-bit weights where that is lossless and PyTorch has the kernel."""
    if weight.device.type == "cpu" and has_kernel() and torch.equal(weight, weight.half().to(weight.dtype)):
        packed = torch.ops.quantized.linear_prepack_fp16(weight, bias)
        return lambda inputs: torch.ops.quantized.linear_dynamic_fp16(inputs, packed)
    weight = weight.contiguous()
    return lambda inputs: F.linear(inputs, weight, bias)
