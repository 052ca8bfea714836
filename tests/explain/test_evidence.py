"""Evidence: what hiding each cell by hand gives, and the cell that a word hangs on."""

import numpy as np
import pytest
import torch
from support.samples import PHOTOS

from capmodel import Caption, CaptionModel, Captioner, Word
from capmodel.explain.evidence import spell
from capmodel.explain.occlusion import hide_cells, word_probability
from capmodel.model.caption_model import ModelConfig
from capmodel.model.normalizers import NORMALIZERS

PHOTO = PHOTOS / "surfer-standing-on-beach.jpg"


def make_caption(*words: str) -> Caption:
    return Caption(" ".join(words), [Word(word, 0.5, np.full((2, 2), 0.25), []) for word in words], -1.0)


def by_hand(captioner: Captioner, grid: torch.Tensor, words: list[str], index: int) -> tuple[np.ndarray, float]:
    """A word's evidence and what it keeps, from grids (1, L, D) in which a cell was replaced by the mean."""
    cells = grid.shape[1]
    grids = grid.repeat(cells + 2, 1, 1)
    for cell in range(cells):
        grids[cell, cell] = grid.mean(1)[0]
    grids[cells] = grid.mean(1)
    probability = word_probability(captioner, grids, words, index).double()
    side = captioner.model.encoder.grid_size
    return (probability[-1] / probability[:cells]).log().view(side, side).numpy(), (
        probability[-2] / probability[-1]
    ).item()


@pytest.mark.parametrize("kind", range(len(NORMALIZERS)))
def test_evidence_of_a_word_equals_hiding_each_cell_by_hand(captioners, kind):
    captioner = captioners[kind]
    grid = captioner.encode([captioner.load_square(PHOTO)])
    caption = captioner.describe(grid)[0][0]
    [found] = captioner.evidence(grid, [caption])
    words = [word.text for word in caption.words]
    assert found.nats.shape == (len(words), 8, 8)
    assert found.hidden_in == "grid"
    for index in range(len(words)):
        nats, kept = by_hand(captioner, grid, words, index)
        assert found.nats[index] == pytest.approx(nats, abs=1e-5)
        assert found.kept[index] == pytest.approx(kept, rel=1e-4)
    assert np.abs(found.nats).max() > 0.1


@pytest.mark.parametrize("kind", NORMALIZERS)
@pytest.mark.parametrize("size", [64, 96, 160])
def test_grids_of_any_side(tokenizer, kind, size):
    torch.manual_seed(0)
    config = ModelConfig("test_resnet", size, len(tokenizer), hidden=16, attention_size=8, normalizer=kind)
    captioner = Captioner(CaptionModel(config), tokenizer, precision="fp32")
    side = captioner.model.encoder.grid_size
    grid = 3 * torch.randn(2, side**2, captioner.model.encoder.channels)
    captions = [make_caption("a", "brown", "frisbee"), make_caption("dog")]  # of several tokens, of several lengths
    assert max(len(tokenizer.encode(word)) for word in ("brown", "frisbee")) > 1
    for place, (caption, found) in enumerate(zip(captions, captioner.evidence(grid, captions))):
        assert found.nats.shape == (len(caption.words), side, side)
        for index in range(len(caption.words)):
            words = [word.text for word in caption.words]
            nats, kept = by_hand(captioner, grid[place : place + 1], words, index)
            assert found.nats[index] == pytest.approx(nats, abs=1e-5)
            assert found.kept[index] == pytest.approx(kept, abs=1e-5)
