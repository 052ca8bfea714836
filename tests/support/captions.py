"""Made-up captions, to draw and to save; and whether two captions are the same."""

import numpy as np
import pytest

from capmodel import Caption, Word


def peaked(row: int, column: int, share: float = 0.5) -> np.ndarray:
    weights = np.full((8, 8), (1 - share) / 63, np.float32)
    weights[row, column] = share
    return weights


UNIFORM = np.full((8, 8), 1 / 64, np.float32)


def make_caption(*maps: np.ndarray) -> Caption:
    words = [Word(f"word{index}", 0.5, weights, []) for index, weights in enumerate(maps)]
    return Caption(" ".join(word.text for word in words), words, -1.0)


def assert_same(found: dict, expected: dict) -> None:
    """That two captions `as_dict` are the same: batches of other sizes differ in the last digits."""
    assert found["caption"] == expected["caption"]
    for one, other in zip(found["words"], expected["words"], strict=True):
        assert one["word"] == other["word"]
        assert one["probability"] == pytest.approx(other["probability"], abs=2e-4)
        np.testing.assert_allclose(one["attention"], other["attention"], atol=1e-5)
        assert [text for text, _ in one["alternatives"]] == [text for text, _ in other["alternatives"]]
