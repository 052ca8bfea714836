"""The attention is the equation, and a look at the grid's weighted sum."""

import torch

from capmodel.model.attention import AdditiveAttention
from capmodel.model.normalizers import make_normalizer


def test_is_the_equation():
    torch.manual_seed(0)
    attention = AdditiveAttention(channels=5, hidden=4, size=3, normalizer=make_normalizer("softmax"))
    grid, hidden = torch.randn(2, 6, 5), torch.randn(2, 3, 4)
    context, weights = attention(grid, attention.project(grid), hidden)
    for photo in range(2):
        for caption in range(3):
            scores = torch.stack(
                [
                    attention.linear_out(
                        torch.tanh(attention.linear_e(cell) + attention.linear_d(hidden[photo, caption]))
                    )
                    for cell in grid[photo]
                ]
            ).squeeze(-1)
            expected = scores.softmax(0)
            torch.testing.assert_close(weights[photo, caption], expected)
            torch.testing.assert_close(context[photo, caption], sum(w * c for w, c in zip(expected, grid[photo])))


def test_weights_lie_on_the_simplex_and_gradients_are_right():
    torch.manual_seed(0)
    attention = AdditiveAttention(4, 4, 3, make_normalizer("softmax")).double()
    grid = torch.randn(1, 5, 4, dtype=torch.double, requires_grad=True)
    hidden = torch.randn(1, 2, 4, dtype=torch.double, requires_grad=True)
    _, weights = attention(grid, attention.project(grid), hidden)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 2, dtype=torch.double))
    assert torch.autograd.gradcheck(lambda g, h: attention(g, attention.project(g), h), (grid, hidden))
