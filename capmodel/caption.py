"""The result of captioning: plain data, so that a caption can be drawn, saved and sent without PyTorch."""

from dataclasses import dataclass

import numpy as np

END_WORD = "."  # stands for the end of the caption among a word's alternatives
# Words that name nothing one could point at.
FUNCTION_WORDS = frozenset((
    "a", "an", "the", "and", "or", "of", "in", "on", "at", "by", "to", "from", "with", "for", "into", "onto", "over",
    "through", "near", "is", "are", "was", "be", "been", "being", "his", "her", "its", "their", "it", "he", "she",
    "they", "that", "this", "there", "as", "while", "who", "which", "up", "down", "out", "off",
))  # fmt: skip


@dataclass(frozen=True, eq=False)
class Word:
    """A word of a caption.

    Attributes:
        text: the word.
        probability: of the word given the words before it, 0..1: the product over its tokens.
        weights: where the model looked, (side, side) float32, summing to 1; row 0 is the top of
            the photo, column 0 its left. The mean over the word's tokens.
        alternatives: the most probable other words at this place, with their probabilities, best
            first; `END_WORD` stands for the end of the caption.
    """

    text: str
    probability: float
    weights: np.ndarray
    alternatives: list[tuple[str, float]]


@dataclass(frozen=True, eq=False)
class Caption:
    """A caption and its words; `score` is its length-normalised log-probability."""

    text: str
    words: list[Word]
    score: float

    def as_dict(self) -> dict:
        """The caption as plain values for JSON: ``caption``, and ``words`` with ``attention`` (rows of floats)."""
        words = [
            {
                "word": word.text,
                "probability": round(word.probability, 4),
                # As doubles: those nearest to six decimals are written with six, float32's with seventeen.
                "attention": word.weights.astype(np.float64).round(6).tolist(),
                "alternatives": [[text, round(probability, 4)] for text, probability in word.alternatives],
            }
            for word in self.words
        ]
        return {"caption": self.text, "words": words}


@dataclass(frozen=True, eq=False)
class CaptionedPhoto:
    """A captioned photo.

    Attributes:
        name: the photo's file name, as its owner wrote it.
        pixels: RGB uint8 (height, width, 3).
        captions: best first, at least one.
    """

    name: str
    pixels: np.ndarray
    captions: list[Caption]
