"""The result of captioning: plain data, so that a caption can be drawn, saved and sent without PyTorch."""

from dataclasses import dataclass

import numpy as np

END_WORD = "."  # stands for the end of the caption among a word's alternatives


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
class Evidence:
    """What mattered for the words of a caption: how much less probable each gets when one cell is hidden.

    Attributes:
        nats: (words, side, side) float32, laid out like `Word.weights`: the fall of the word's log-probability when
            this cell is hidden. Positive: the cell speaks for the word, which is exp(nats) times less probable without
            it. Negative: the cell speaks against it.
        kept: (words,) float32: the share of its probability that the word keeps when all cells are hidden at once. More
            than 1: the word is more probable when nothing has a place.
        hidden_in: "grid", where a hidden cell has the mean of all cells, or "photo", where it has the mean colour.
        alone: if True, each cell was shown alone: nats are the gain over all cells hidden.
    """

    nats: np.ndarray
    kept: np.ndarray
    hidden_in: str
    alone: bool = False


@dataclass(frozen=True, eq=False)
class Caption:
    """A caption and its words.

    Attributes:
        score: its length-normalised log-probability.
        evidence: what mattered for each word; None unless it was asked for.
    """

    text: str
    words: list[Word]
    score: float
    evidence: Evidence | None = None

    def as_dict(self) -> dict:
        """The caption as plain values for JSON: ``caption``, and ``words`` with ``attention`` (rows of floats).

        With evidence, each word also has ``evidence`` (rows of nats) and ``kept``; see `Evidence`.
        """
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
        if self.evidence:
            for word, nats, kept in zip(words, self.evidence.nats, self.evidence.kept, strict=True):
                word |= {"evidence": nats.round(4).tolist(), "kept": round(float(kept), 4)}
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
