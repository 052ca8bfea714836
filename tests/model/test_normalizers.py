"""Sparsemax is the projection onto the simplex, hard attention is one cell, and both can be learned through."""

from itertools import combinations

import pytest
import torch
from entmax import sparsemax as reference
from torch.nn import functional as F

from capmodel.model.normalizers import NORMALIZERS, make_normalizer


@pytest.fixture
def scores():
    return 3 * torch.randn(200, 7, dtype=torch.double, generator=torch.Generator().manual_seed(0))


def project_by_brute_force(scores):
    """The nearest point of the simplex: of all supports, the one whose projection is feasible and nearest."""
    best, nearest = None, torch.inf
    for size in range(1, len(scores) + 1):
        for support in map(list, combinations(range(len(scores)), size)):
            point = torch.zeros_like(scores)
            point[support] = scores[support] - (scores[support].sum() - 1) / size
            distance = (point - scores).norm()
            if (point >= 0).all() and distance < nearest:
                best, nearest = point, distance
    return best


def test_sparsemax_is_the_nearest_point_of_the_simplex(scores):
    weights = make_normalizer("sparsemax")(scores)
    for row, expected in zip(weights, map(project_by_brute_force, scores)):
        torch.testing.assert_close(row, expected)
    assert 1 < (weights > 0).sum(-1).double().mean() < 7


def test_sparsemax_and_its_gradient_equal_entmax(scores):
    ours, theirs = scores.clone().requires_grad_(), scores.clone().requires_grad_()
    weights, expected = make_normalizer("sparsemax")(ours), reference(theirs, dim=-1)
    torch.testing.assert_close(weights, expected)
    seed = torch.randn(weights.shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    weights.backward(seed)
    expected.backward(seed)
    torch.testing.assert_close(ours.grad, theirs.grad)
    assert torch.autograd.gradcheck(make_normalizer("sparsemax"), scores[:20].clone().requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sparsemax_of_equal_large_and_tied_scores(dtype):
    normalize = make_normalizer("sparsemax")
    assert torch.equal(normalize(torch.full((64,), 1e4, dtype=dtype)), torch.full((64,), 1 / 64, dtype=dtype))
    assert normalize(torch.tensor([1e4, 0.0, -1e4], dtype=dtype)).tolist() == [1, 0, 0]
    assert normalize(torch.tensor([2.0, 2.0, 0.0], dtype=dtype)).tolist() == [0.5, 0.5, 0]


def test_hard_attention_looks_at_the_best_cell_outside_training(scores):
    weights = make_normalizer("hard").eval()(scores)
    assert torch.equal(weights, F.one_hot(scores.argmax(-1), 7).double())


def test_hard_attention_draws_cells_as_often_as_softmax_says():
    torch.manual_seed(0)
    scores = torch.tensor([1.0, 0.0, -1.0])
    drawn = make_normalizer("hard").train()(scores.expand(20_000, 3))
    assert sorted(drawn.unique().tolist()) == pytest.approx([0, 1])
    torch.testing.assert_close(drawn.mean(0), scores.softmax(0), atol=0.015, rtol=0)


def test_hard_attention_learns_which_cell_pays():
    torch.manual_seed(0)
    scores, values = torch.zeros(5, requires_grad=True), torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0])
    normalize = make_normalizer("hard").train()
    normalize.temperature = 0.5
    for _ in range(50):
        (normalize(scores.expand(32, 5)) @ values).mean().backward()
    assert scores.grad.argmax() == 2


@pytest.mark.parametrize("name", NORMALIZERS)
def test_weights_sum_to_one(name, scores):
    weights = make_normalizer(name)(scores)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(200, dtype=torch.double))


def test_unknown_normalizer_lists_the_known_ones():
    with pytest.raises(ValueError, match=", ".join(NORMALIZERS)):
        make_normalizer("hardmax")
