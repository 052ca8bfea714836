"""Did a word look where it mattered? One of four plain answers, from where it looked and from its evidence.

Thresholds were chosen on the captions of 300 photos from Flickr8k's dev split; `assets/docs/attention.md` says how often
each answer is given.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

STRONGEST = 1 / 8  # of the cells: the share by which two unrelated maps overlap
OVERLAP = 3 / 8  # of the strongest cells looked at; unrelated maps of 64 cells reach it for one word in twenty
PLACE_MATTERS = np.log(1.1)  # nats: hiding the strongest cell makes the word 1.1 times less probable
PHOTO_MATTERS = 0.8  # a word that keeps less of its probability when all cells are the mean depends on the photo

ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")


class Answer(StrEnum):
    """What can be said of a word."""

    SAME_PLACE = "same place"  # it looked where it mattered
    OTHER_PLACE = "other place"  # it looked at one place; the word hung on another
    WHOLE_PHOTO = "whole photo"  # no single cell mattered, but all of them together did
    NO_PLACE = "no place"  # nothing that it saw mattered: the words before it were enough


@dataclass(frozen=True)
class Agreement:
    """How where a word looked and what mattered for it agree.

    Attributes:
        overlap: the share of the strongest cells looked at that are among the strongest cells for the word, 0..1.
        looked, mattered: the row and the column, of `ROWS` and `COLUMNS`, where most of the strongest cells lie.
    """

    answer: Answer
    overlap: float
    looked: tuple[str, str]
    mattered: tuple[str, str]


def compare_maps(weights: np.ndarray, nats: np.ndarray, kept: float) -> Agreement:
    """Compares where a word looked with its evidence.

    Args:
        weights: `Word.weights`, (side, side).
        nats, kept: of the word in `Evidence`: (side, side), and a share.
    """
    looked, mattered = strongest(weights), strongest(nats)
    overlap = float((looked & mattered).sum() / looked.sum())
    places = place(np.where(looked, weights, 0)), place(np.where(mattered, nats, 0))
    if nats.max() < PLACE_MATTERS:
        answer = Answer.NO_PLACE if kept >= PHOTO_MATTERS else Answer.WHOLE_PHOTO
    else:
        same = overlap >= OVERLAP or places[0] == places[1]
        answer = Answer.SAME_PLACE if same else Answer.OTHER_PLACE
    return Agreement(answer, overlap, *places)


def strongest(values: np.ndarray) -> np.ndarray:
    """Which cells (side, side) are the highest eighth; fewer if fewer are positive, as where a map is sparse."""
    count = min(max(1, round(STRONGEST * values.size)), int((values > 0).sum()))
    found = np.zeros(values.size, bool)
    found[np.argsort(-values.ravel(), kind="stable")[:count]] = True
    return found.reshape(values.shape)


def place(values: np.ndarray) -> tuple[str, str]:
    """The ninth of the photo with the highest sum of values (side, side)."""
    third = ((np.arange(len(values)) + 0.5) * 3 / len(values)).astype(int)
    sums = np.zeros((3, 3))
    np.add.at(sums, (third[:, None], third[None]), values)
    row, column = divmod(int(sums.argmax()), 3)
    return ROWS[row], COLUMNS[column]
