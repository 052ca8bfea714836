"""Hiding cells: exactly these, and the probabilities that the model itself would give."""

import numpy as np
import pytest
import torch
from support.samples import PHOTOS

from capmodel import DecodeOptions
from capmodel.decoding.tokenizer import START
from capmodel.explain.occlusion import DRAWS, hide_cells, occlude_word, word_probability

PHOTO = PHOTOS / "surfer-standing-on-beach.jpg"


def test_only_these_cells_are_hidden():
    photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    hidden = hide_cells(photo, [0, 9], 8)
    changed = (hidden != photo).any(-1)
    expected = np.zeros((64, 64), bool)
    expected[:8, :8] = expected[8:16, 8:16] = True
    assert not changed[~expected].any()
    assert changed[expected].mean() > 0.95
    assert (hidden[3, 3] == photo.mean((0, 1)).round()).all()


@pytest.mark.parametrize(("size", "side"), [(64, 2), (320, 10), (50, 8), (7, 3)])
def test_cells_of_any_grid_cover_the_photo_once(size, side):
    photo = (
        np.random.default_rng(0).choice(np.array([0, 200], np.uint8), (size, size, 1)).repeat(3, 2)
    )  # none is the mean
    times_hidden = np.zeros((size, size), int)
    for cell in range(side**2):
        changed = (hide_cells(photo, [cell], side) != photo).all(-1)
        times_hidden += changed
        middle = [(place.min() + place.max() + 1) / 2 for place in changed.nonzero()]
        assert middle == pytest.approx([(index + 0.5) * size / side for index in divmod(cell, side)], abs=0.5)
    assert (times_hidden == 1).all()


def test_a_cell_that_is_not_in_the_grid_is_refused():
    with pytest.raises(ValueError, match="no cell 4 in a grid of 2 x 2"):
        hide_cells(np.zeros((64, 64, 3), np.uint8), [4], 2)


def test_a_cell_of_a_small_grid_is_a_large_part_of_the_photo(tiny_captioner):
    assert tiny_captioner.model.encoder.grid_size == 2
    square = tiny_captioner.load_square(PHOTO)
    found = occlude_word(tiny_captioner, square, ["a", "dog"], 1, [1], DecodeOptions(max_tokens=5))
    hidden = square.copy()
    hidden[:32, 32:] = square.mean((0, 1)).round()  # the quarter at the top right
    expected = word_probability(tiny_captioner, tiny_captioner.encode([hidden]), ["a", "dog"], 1)
    assert found.after == pytest.approx(expected.item(), rel=1e-5)


def test_before_is_the_probability_in_the_caption(captioner):
    square = captioner.load_square(PHOTO)
    caption = captioner([PHOTO])[0]
    words = [word.text for word in caption.words]
    for index in (0, 1, len(words) - 1):
        assert occlude_word(captioner, square, words, index, [3]).before == pytest.approx(
            caption.words[index].probability, rel=1e-3
        )


def test_after_and_the_caption_are_of_the_photo_without_the_cells(captioner):
    square, cells = captioner.load_square(PHOTO), [44, 45, 46, 52, 53, 54]
    words = [word.text for word in captioner([PHOTO])[0].words]
    found = occlude_word(captioner, square, words, 1, cells)
    hidden = captioner.encode([hide_cells(square, cells, captioner.model.encoder.grid_size)])
    assert found.caption.text == captioner.describe(hidden)[0][0].text
    assert found.after == pytest.approx(word_probability(captioner, hidden, words, 1).item(), rel=1e-3)
    assert found.after != pytest.approx(found.before, rel=1e-2)


@torch.inference_mode()
def test_blind_sees_only_the_average(tiny_captioner):
    square = tiny_captioner.load_square(PHOTO)
    found = occlude_word(tiny_captioner, square, ["a", "dog"], 1, [0], DecodeOptions(max_tokens=5))
    grid = tiny_captioner.encode([square])
    grid[:] = grid.mean(1, keepdim=True)
    before, tokens = tiny_captioner.tokenizer.encode("a"), tiny_captioner.tokenizer.encode("dog")
    logits, _ = tiny_captioner.model.decoder(grid, torch.tensor([[[START, *before, *tokens]]]))
    logprobs = logits[0, 0].log_softmax(-1)
    expected = sum(logprobs[len(before) + k, token].item() for k, token in enumerate(tokens))
    assert found.blind == pytest.approx(np.exp(expected), rel=1e-4)


def test_random_cells_are_others_and_the_same_again(captioner):
    square = captioner.load_square(PHOTO)
    first, again = (occlude_word(captioner, square, ["a", "man"], 1, range(20)).elsewhere for _ in range(2))
    assert first == again
    assert len(set(first)) == DRAWS
    assert occlude_word(captioner, square, ["a", "man"], 1, range(20), seed=1).elsewhere != first


@pytest.mark.parametrize(("index", "cells"), [(2, [0]), (-1, [0]), (0, []), (0, range(64)), (0, [64]), (0, [-1])])
def test_what_cannot_be_asked(captioner, index, cells):
    with pytest.raises(ValueError, match=r"there is no word|cells to hide"):
        occlude_word(captioner, captioner.load_square(PHOTO), ["a", "man"], index, cells)
