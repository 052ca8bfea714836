"""Additive attention: how much to look at each cell of the grid for every word.

Bahdanau et al. (2015), "Neural Machine Translation by Jointly Learning to Align and Translate";
over photos, Xu et al. (2015), "Show, Attend and Tell".
"""

from torch import Tensor, nn


class AdditiveAttention(nn.Module):
    """Looks at a grid, with the decoder's state as the query.

        a_t = linear_out(tanh(linear_e(h_e_t) + linear_d(h_d)))

    where h_e_t is the vector of cell t and h_d the decoder's hidden state. The normalizer turns the
    scores a_t into weights; the context is the weighted sum of the grid's vectors.

    Shapes: B photos, K decoders per photo (captions in training, beams in decoding), L cells,
    D channels, H hidden size, A attention size. Keys are computed once per photo, whatever K is.
    """

    def __init__(self, channels: int, hidden: int, size: int, normalizer: nn.Module):
        super().__init__()
        self.linear_e = nn.Linear(channels, size)
        self.linear_d = nn.Linear(hidden, size)
        self.linear_out = nn.Linear(size, 1)
        self.normalizer = normalizer

    def project(self, grid: Tensor) -> Tensor:
        """The part that does not depend on the decoder: grid (B, L, D) -> keys (B, L, A)."""
        return self.linear_e(grid)

    def forward(self, grid: Tensor, keys: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Grid (B, L, D), keys (B, L, A), hidden (B, K, H) -> context (B, K, D), weights (B, K, L)."""
        # In place, because this is by far the largest tensor.
        scores = self.linear_out((keys[:, None] + self.linear_d(hidden)[:, :, None]).tanh_()).squeeze(-1)  # (B, K, L)
        weights = self.normalizer(scores)
        return weights @ grid, weights
