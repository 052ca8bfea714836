"""Made-up captions, to draw and to save."""

import numpy as np

from capmodel import Caption, Word


def peaked(row: int, column: int, share: float = 0.5) -> np.ndarray:
    weights = np.full((8, 8), (1 - share) / 63, np.float32)
    weights[row, column] = share
    return weights


UNIFORM = np.full((8, 8), 1 / 64, np.float32)


def make_caption(*maps: np.ndarray) -> Caption:
    words = [Word(f"word{index}", 0.5, weights, []) for index, weights in enumerate(maps)]
    return Caption(" ".join(word.text for word in words), words, -1.0)
