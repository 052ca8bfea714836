"""Whether captions speak of men or women, compared with what people wrote about the same photos."""

import re
from collections import Counter
from collections.abc import Sequence

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


def count_genders(references: Sequence[Sequence[str]], candidates: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many captions speak of each of `KINDS`: where most references speak of men only, and of women only."""
    counts = {kind: dict.fromkeys(KINDS, 0) for kind in WORDS}
    for texts, caption in zip(references, candidates, strict=True):
        wrote = Counter(gender_of(text) for text in texts)
        for kind, found in counts.items():
            if 2 * wrote[kind] > len(texts):
                found[gender_of(caption)] += 1
    return counts
