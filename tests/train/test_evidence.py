"""Attention is taught to look where it matters."""

import pytest
import torch
from support.samples import PHOTOS

from capmodel import Captioner
from capmodel.decoding.tokenizer import END, PAD, START
from capmodel.model.fast_decoder import FastDecoder
from train.objectives.evidence import evidence_loss, token_evidence
from train.objectives.teacher_forcing import Regularization, TeacherForcing

PHOTO = PHOTOS / "surfer-standing-on-beach.jpg"


def test_evidence_of_tokens_is_that_of_the_captions_words(captioner):
    grid = captioner.encode([captioner.load_square(PHOTO)])
    [[caption, *_]] = captioner.describe(grid)
    [evidence] = captioner.evidence(grid, [caption])
    words = [captioner.tokenizer.encode(word.text) for word in caption.words]
    tokens = torch.tensor([[START, *(token for word in words for token in word), END, PAD, PAD]])
    lost, lost_in_all = token_evidence(captioner.decoder, grid, tokens)
    assert lost.shape == (1, tokens.shape[1] - 1, grid.shape[1])
    first = 0
    for word, nats, kept in zip(words, evidence.nats, evidence.kept, strict=True):
        mine = slice(first, first := first + len(word))
        torch.testing.assert_close(lost[0, mine].sum(0), torch.from_numpy(nats).flatten(), atol=1e-5, rtol=0)
        assert float((-lost_in_all[0, mine].sum()).exp()) == pytest.approx(kept, abs=1e-4)
    assert not lost[0, -2:].any()  # padding


def test_the_loss_is_least_where_attention_is_the_evidence():
    lost = torch.tensor([[[0.3, 0.1, -0.2, 0.0], [0.0, -1.0, -0.1, 0.0]]])
    all_cells = torch.tensor([[1.0, 1.0]])
    target = torch.tensor([[[0.75, 0.25, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]]])
    assert float(evidence_loss(target, lost, all_cells)) == pytest.approx(0, abs=1e-4)
    flat = torch.full((1, 2, 4), 0.25)
    # Only the first token has evidence: ln 4 minus the entropy of (3/4, 1/4), times the share that it loses.
    assert float(evidence_loss(flat, lost, all_cells)) == pytest.approx((1.3863 - 0.5623) * 0.6321, abs=1e-3)
    assert float(evidence_loss(flat, lost, torch.tensor([[0.0, 0.0]]))) == 0  # nothing in the photo matters


@pytest.mark.parametrize("kind", ["softmax", "sparsemax", "hard"])
def test_training_pulls_attention_towards_evidence(kind):
    captioner = Captioner.from_pretrained(kind)
    grid = captioner.encode([captioner.load_square(PHOTO)])
    tokens = torch.tensor([[[START, *captioner.tokenizer.encode("a man with a surfboard stands on the beach"), END]]])
    batch = {"grid": grid.clone(), "tokens": tokens, "targets": tokens.shape[-1] - 1, "temperature": 0.3}
    decoder = captioner.model.decoder.train()
    decoder.dropout.p = 0

    def loss_of(weight):
        torch.manual_seed(0)  # hard attention draws cells
        return TeacherForcing(decoder, Regularization(evidence=weight))(batch)["loss"]

    loss = loss_of(1.0) - loss_of(0.0)
    assert 0 < float(loss) < 15
    [gradient] = torch.autograd.grad(loss, [decoder.attention.linear_d.weight])
    assert float(gradient.abs().max()) > 0
    lost, lost_in_all = token_evidence(FastDecoder(decoder), grid, tokens[:, 0])
    assert torch.isfinite(lost).all()
    assert lost_in_all.shape == (1, tokens.shape[-1] - 1)
