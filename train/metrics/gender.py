"""Whether captions speak of men or women, compared with what people wrote about the same photos."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

WORDS = {  # children too: a boy counts as "men"
    "men": frozenset(("man", "men", "boy", "boys", "guy", "guys", "male", "he", "his", "him")),
    "women": frozenset(("woman", "women", "girl", "girls", "lady", "ladies", "female", "she", "her", "hers")),
}
KINDS = ("men", "women", "both", "neither")


def gender_of(caption: str) -> str:
    """Which of `KINDS` a caption's words speak of."""
    words = set(re.findall("[a-z]+", caption.lower()))  # "man's", one word to normalize_caption, speaks of a man too
    spoken = [kind for kind, names in WORDS.items() if words & names]
    if len(spoken) == 2:
        return "both"
    return spoken[0] if spoken else "neither"


def majority_gender(references: Sequence[str]) -> str | None:
    """Which of `WORDS` most references speak of, and of it alone; None if there is no such majority."""
    wrote = Counter(map(gender_of, references))
    return next((kind for kind in WORDS if 2 * wrote[kind] > len(references)), None)


def count_genders(references: Sequence[Sequence[str]], candidates: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many captions speak of each of `KINDS`: where most references speak of men only, and of women only."""
    counts = {kind: dict.fromkeys(KINDS, 0) for kind in WORDS}
    for texts, caption in zip(references, candidates, strict=True):
        if kind := majority_gender(texts):
            counts[kind][gender_of(caption)] += 1
    return counts


class GenderErrors:
    """Finds captions that speak of men where most people wrote of women only, or of women where most wrote of men only.

    Hendricks et al. (2018), "Women also Snowboard: Overcoming Bias in Captioning Models". To speak of both is an error,
    too; "a person" is none. An error weighs the more the rarer such photos are, so that all photos of men weigh as much
    as all photos of women.

    Args:
        references: for each photo its references.
    """

    def __init__(self, references: Sequence[Sequence[str]]):
        self._genders = [majority_gender(texts) for texts in references]
        photos = Counter(self._genders)
        of_all = sum(photos[kind] for kind in WORDS)
        self._weights = {kind: of_all / (len(WORDS) * photos[kind]) for kind in WORDS if photos[kind]}

    def __call__(self, photos: Iterable[int], captions: Sequence[Sequence[str]]) -> np.ndarray:
        """The weights of the errors in K captions of each of B photos, given by number: (B, K), 0 without an error."""
        return np.array(
            [[self._weigh(photo, text) for text in texts] for photo, texts in zip(photos, captions, strict=True)]
        )

    def mean(self, captions: Sequence[str]) -> float:
        """The mean weight of the errors in one caption of each photo."""
        return float(self(range(len(captions)), [[text] for text in captions]).mean())

    def _weigh(self, photo: int, caption: str) -> float:
        right = self._genders[photo]
        return self._weights[right] if right and gender_of(caption) not in (right, "neither") else 0.0
