"""Evidence: what hiding each cell by hand gives, and the cell that a word hangs on."""

import numpy as np
import pytest
import torch
from support.samples import PHOTOS

from capmodel import Caption, Captioner, CaptionModel, DecodeOptions, PhotoError, Word
from capmodel.caption import Evidence
from capmodel.explain.evidence import spell
from capmodel.explain.occlusion import hide_cells, word_probability
from capmodel.model.caption_model import ModelConfig
from capmodel.model.normalizers import NORMALIZERS

PHOTO = PHOTOS / "surfer-standing-on-beach.jpg"


def make_caption(*words: str) -> Caption:
    return Caption(" ".join(words), [Word(word, 0.5, np.full((2, 2), 0.25), []) for word in words], -1.0)


def by_hand(captioner: Captioner, grid: torch.Tensor, words: list[str], index: int) -> torch.Tensor:
    """A word's probability with each cell of a grid (1, L, D) replaced by the mean, with all, and with none: (L + 2,)."""
    grids = grid.repeat(grid.shape[1] + 2, 1, 1)
    for cell in range(grid.shape[1]):
        grids[cell, cell] = grid.mean(1)[0]
    grids[-2] = grid.mean(1)
    return word_probability(captioner, grids, words, index).double()


def check(found: Evidence, words: list[str], probabilities: list[torch.Tensor]) -> None:
    """Evidence says what probabilities with cells hidden by hand say."""
    side = round((len(probabilities[0]) - 2) ** 0.5)
    assert found.nats.shape == (len(words), side, side)
    assert found.kept.shape == (len(words),)
    for nats, kept, probability in zip(found.nats, found.kept, probabilities, strict=True):
        *without, blind, whole = probability.tolist()
        assert whole * np.exp(-nats.flatten()) == pytest.approx(np.array(without), abs=1e-5)
        assert nats.flatten() == pytest.approx(np.log(whole / np.array(without)), abs=5e-5)  # fp32, by either way
        assert whole * kept == pytest.approx(blind, abs=1e-5)


@pytest.mark.parametrize("kind", range(len(NORMALIZERS)))
def test_evidence_of_a_word_equals_hiding_each_cell_by_hand(captioners, kind):
    captioner = captioners[kind]
    grid = captioner.encode([captioner.load_square(PHOTO)])
    caption = captioner.describe(grid)[0][0]
    words = [word.text for word in caption.words]
    [found] = captioner.evidence(grid, [caption])
    check(found, words, [by_hand(captioner, grid, words, index) for index in range(len(words))])
    assert found.hidden_in == "grid"
    assert np.abs(found.nats).max() > 0.1


@pytest.mark.parametrize("kind", NORMALIZERS)
@pytest.mark.parametrize("size", [64, 96, 160])
def test_grids_of_any_side_and_words_of_several_tokens(tokenizer, kind, size):
    torch.manual_seed(0)
    config = ModelConfig("test_resnet", size, len(tokenizer), hidden=16, attention_size=8, normalizer=kind)
    captioner = Captioner(CaptionModel(config), tokenizer, precision="fp32")
    grid = 3 * torch.randn(2, captioner.model.encoder.grid_size**2, captioner.model.encoder.channels)
    captions = [["a", "brown", "frisbee"], ["dog"]]
    assert len(tokenizer.encode("frisbee")) > 1
    found = captioner.evidence(grid, [make_caption(*words) for words in captions])
    for place, words in enumerate(captions):
        one = grid[place : place + 1]
        check(found[place], words, [by_hand(captioner, one, words, index) for index in range(len(words))])
        assert np.ptp(found[place].nats) > 0


def test_each_cell_shown_alone(captioner):
    square = captioner.load_square(PHOTO)
    grid = captioner.encode([square])
    caption = captioner.describe(grid)[0][0]
    words = [word.text for word in caption.words]
    [found], [hidden] = captioner.evidence(grid, [caption], alone=True), captioner.evidence(grid, [caption])
    assert found.alone
    assert not hidden.alone
    assert found.kept == pytest.approx(hidden.kept)
    grids = grid.mean(1, keepdim=True).repeat(65, 64, 1)
    for cell in range(64):
        grids[cell, cell] = grid[0, cell]
    for index in (1, len(words) - 1):
        *alone, blind = word_probability(captioner, grids, words, index).double().tolist()
        assert blind * np.exp(found.nats[index].flatten()) == pytest.approx(np.array(alone), abs=1e-5)


def test_squares_hidden_in_the_photo(tiny_captioner):
    square, words = tiny_captioner.load_square(PHOTO), ["a", "frisbee"]
    found = tiny_captioner.photo_evidence(square, make_caption(*words))
    holes = [hide_cells(square, cells, 2) for cells in ([0], [1], [2], [3], range(4), [])]
    grids = tiny_captioner.encode(holes)
    check(found, words, [word_probability(tiny_captioner, grids, words, index).double() for index in range(2)])
    assert found.hidden_in == "photo"
    alone = tiny_captioner.photo_evidence(square, make_caption(*words), alone=True)
    others = tiny_captioner.encode([hide_cells(square, {0, 1, 2, 3} - {cell}, 2) for cell in range(4)])
    shown = word_probability(tiny_captioner, others, words, 1).double()
    blind = word_probability(tiny_captioner, grids[4:5], words, 1).double()
    assert alone.nats[1].flatten() == pytest.approx((shown / blind).log().numpy(), abs=5e-5)


@pytest.fixture
def distracted(tokenizer):
    """A captioner that looks at cells bright in channel 1, and writes "dog" only if it reads channel 0 anywhere."""
    config = ModelConfig("test_resnet", 160, len(tokenizer), hidden=16, attention_size=8)
    model = CaptionModel(config).requires_grad_(False)
    decoder = model.decoder
    for weight in decoder.parameters():
        weight.zero_()
    decoder.attention.linear_e.weight[0, 1] = 2.0
    decoder.attention.linear_out.weight[0, 0] = 6.0
    size = decoder.lstm.hidden_size
    enter, _, candidate, leave = torch.arange(4 * size).view(4, size)
    decoder.lstm.bias_ih[enter[0]] = decoder.lstm.bias_ih[leave[0]] = 5.0  # always open
    decoder.lstm.weight_ih[candidate[0], size] = 1.0  # the inputs are embedding and attended sum; this is its channel 0
    decoder.embedding.weight[tokenizer.encode("dog")[0], 0] = 6.0
    return Captioner(model, tokenizer)


def test_evidence_finds_the_cell_a_word_hangs_on_and_attention_does_not(distracted):
    assert distracted.model.encoder.grid_size == 5
    grid = torch.zeros(1, 25, distracted.model.encoder.channels)
    grid[0, 6, 1] = 1.0  # draws the eye
    grid[0, 18, 0] = 100.0  # says "dog"
    [[caption]] = distracted.describe(grid, DecodeOptions(beam=1, max_tokens=1), prefixes=["dog"])
    looked, mattered = caption.words[0].weights.flatten(), distracted.evidence(grid, [caption])[0].nats[0].flatten()
    assert looked.argmax() == 6
    assert looked[6] > 0.8
    assert looked[18] < 0.01
    assert mattered.argmax() == 18
    assert mattered[18] > 0.3
    assert mattered.argmin() == 6  # without what draws the eye, it would have read more of the dog
    assert np.abs(np.delete(mattered, [6, 18])).max() < 0.1  # the mean that takes their place holds a little dog


def test_captions_have_evidence_only_when_asked(tiny_captioner, tmp_path):
    options = DecodeOptions(max_tokens=5)
    (tmp_path / "letter.jpg").write_text("Dear reader")
    photos = [PHOTO, tmp_path / "letter.jpg", PHOTOS / "soccer-players.jpg"]
    plain, bad, _ = tiny_captioner.stream(photos, options)
    first, _, last = tiny_captioner.stream(photos, options, evidence=True)
    assert isinstance(bad, PhotoError)
    assert plain.evidence is None
    assert "evidence" not in plain.as_dict()["words"][0]
    [alone] = tiny_captioner([PHOTO], options, evidence=True)
    assert alone.text == first.text == plain.text
    assert alone.evidence.nats == pytest.approx(first.evidence.nats, abs=1e-5)
    assert len(last.evidence.nats) == len(last.words)
    told = first.as_dict()["words"]
    for word, nats, kept in zip(told, first.evidence.nats, first.evidence.kept):
        assert word["evidence"] == nats.round(4).tolist()
        assert word["kept"] == pytest.approx(kept, abs=1e-4)


def test_a_caption_is_spelled_as_it_was_written(captioners):
    captioner = captioners[0]
    [caption] = captioner([PHOTO])
    tokens, spans = spell(captioner.tokenizer, [word.text for word in caption.words])
    assert captioner.tokenizer.word_spans(tokens[1:].tolist()) == [
        (word.text, *span) for word, span in zip(caption.words, spans)
    ]
