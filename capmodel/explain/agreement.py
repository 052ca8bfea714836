"""Did a word look where it mattered? One of four plain answers, from where it looked and from its evidence.

The thresholds were chosen on the captions of 300 photos from Flickr8k's dev split; `assets/docs/attention.md` says how
often each answer is given.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

STRONGEST = 1 / 8  # of the cells are compared; two unrelated maps share as many of these
OVERLAP = 3 / 8  # of the strongest cells looked at: unrelated maps of 64 cells share so many for one word in twenty
PLACE_MATTERS = float(np.log(1.2))  # nats, added up over the strongest cells
PHOTO_MATTERS = 0.8  # a word that keeps less of its probability when all cells are hidden depends on the photo

ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
Place = tuple[str, str]  # a row and a column


class Answer(StrEnum):
    """What can be said of a word."""

    SAME_PLACE = "same place"  # it looked where it mattered
    OTHER_PLACE = "other place"  # it looked at one place; the word hung on another
    WHOLE_PHOTO = "whole photo"  # no place mattered, but the photo as a whole did
    NO_PLACE = "no place"  # no place mattered: the words before it were enough


@dataclass(frozen=True)
class Agreement:
    """How where a word looked and what mattered for it agree.

    Attributes:
        overlap: the share of the strongest cells looked at that are among the strongest cells for the word, 0..1.
        looked: where most of the attention on the strongest cells lies.
        mattered: the same for evidence; None if no cell speaks for the word.
    """

    answer: Answer
    overlap: float
    looked: Place
    mattered: Place | None


def compare_maps(weights: np.ndarray, nats: np.ndarray, kept: float) -> Agreement:
    """Compares where a word looked with its evidence.

    Args:
        weights: `Word.weights`, (side, side).
        nats, kept: of the word in `Evidence`: (side, side), and a share.
    """
    looked, mattered = strongest(weights), strongest(nats)
    overlap = float((looked & mattered).sum() / looked.sum())
    looked_at = place(np.where(looked, weights, 0))
    hung_on = place(np.where(mattered, nats, 0)) if mattered.any() else None
    if nats[mattered].sum() < PLACE_MATTERS:
        answer = Answer.NO_PLACE if kept >= PHOTO_MATTERS else Answer.WHOLE_PHOTO
    else:
        answer = Answer.SAME_PLACE if overlap >= OVERLAP or looked_at == hung_on else Answer.OTHER_PLACE
    return Agreement(answer, overlap, looked_at, hung_on)


def strongest(values: np.ndarray) -> np.ndarray:
    """Which cells (side, side) are the highest eighth; fewer if fewer are positive, as where a map is sparse."""
    count = min(max(1, round(STRONGEST * values.size)), int((values > 0).sum()))
    found = np.zeros(values.size, bool)
    found[np.argsort(-values.ravel(), kind="stable")[:count]] = True
    return found.reshape(values.shape)


def place(values: np.ndarray) -> Place:
    """The ninth of the photo with the highest sum of values (side, side)."""
    third = ((np.arange(len(values)) + 0.5) * 3 / len(values)).astype(int)
    sums = np.zeros((3, 3))
    np.add.at(sums, (third[:, None], third[None]), values)
    row, column = divmod(int(sums.argmax()), 3)
    return ROWS[row], COLUMNS[column]
