"""CIDEr-D against fixed references, fast enough to be a reward."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import exp, log, sqrt
from typing import NamedTuple

import numpy as np

NGRAMS = 4  # of 1 to 4 words

NGram = tuple[str, ...]


class _Vector(NamedTuple):
    """A caption's n-grams with their tf-idf weights."""

    weights: list[dict[NGram, float]]  # for each length of n-gram
    norms: list[float]
    length: int


class CiderD:
    """Scores captions of photos whose references, and so their n-grams' frequencies, are known beforehand.

    Vedantam et al. (2015), "CIDEr: Consensus-based Image Description Evaluation", with the clipping
    and the length penalty of its section "CIDEr-D"; equal to pycocoevalcap's where that is given
    all these photos at once. It counts the n-grams of all references in every call; this does it once.

    Args:
        references: for each photo its references, as words.
        sigma: of the penalty on the difference in length, in words.
    """

    def __init__(self, references: Sequence[Sequence[Sequence[str]]], sigma: float = 6.0):
        self.references = references
        self.sigma = sigma
        self._log_photos = log(len(references))
        # In how many photos' references an n-gram is.
        self._frequency: Counter[NGram] = Counter()
        for texts in references:
            self._frequency.update({ngram for words in texts for ngram in _ngrams(words)})

    def __call__(self, photos: Iterable[int], captions: Sequence[Sequence[Sequence[str]]]) -> np.ndarray:
        """The scores of K captions, as words, of each of B photos, given by number: (B, K), each from 0 to 10."""
        rows = []
        for photo, texts in zip(photos, captions, strict=True):
            references = [self._vector(words) for words in self.references[photo]]
            rows.append([self._score(self._vector(words), references) for words in texts])
        return np.array(rows)

    def _vector(self, words: Sequence[str]) -> _Vector:
        weights: list[dict[NGram, float]] = [{} for _ in range(NGRAMS)]
        for ngram, count in Counter(_ngrams(words)).items():
            weights[len(ngram) - 1][ngram] = count * (self._log_photos - log(max(1, self._frequency[ngram])))
        norms = [sqrt(sum(weight * weight for weight in of_length.values())) for of_length in weights]
        # pycocoevalcap takes the number of 2-grams for the length, which is the same but for empty captions.
        return _Vector(weights, norms, max(0, len(words) - 1))

    def _score(self, caption: _Vector, references: Sequence[_Vector]) -> float:
        total = 0.0
        for reference in references:
            likeness = 0.0
            for ours, theirs, norm, other in zip(caption.weights, reference.weights, caption.norms, reference.norms):
                product = sum(min(weight, theirs[key]) * theirs[key] for key, weight in ours.items() if key in theirs)
                likeness += product / (norm * other) if product else 0
            total += likeness * exp(-((caption.length - reference.length) ** 2) / (2 * self.sigma**2))
        return 10 * total / NGRAMS / len(references)


def _ngrams(words: Sequence[str]) -> list[NGram]:
    return [tuple(words[i : i + n]) for n in range(1, NGRAMS + 1) for i in range(len(words) - n + 1)]
