"""How captions are searched: plain values, which need no PyTorch."""

from dataclasses import dataclass
from math import inf

MOST_BEAMS = 100


@dataclass(frozen=True)
class DecodeOptions:
    """How captions are searched.

    Attributes:
        beam: hypotheses kept per photo; 1 is greedy decoding.
        candidates: finished captions returned per photo, at most `beam`.
        length_penalty: a caption's score is its log-probability divided by (number of tokens) ** length_penalty;
            0 does not normalise and favours short captions (Wu et al. 2016, section 7).
        max_tokens: the longest caption, in tokens, without start and end.
        no_repeated_trigram: never write the same three tokens twice (Paulus et al. 2018).
        repetition_cost: nats taken from a caption's log-probability in the search each time that it names a content
            word again, as "a kitchen with a sink and a sink" does; 0 lets it (as Keskar et al. 2019, section 4.1,
            but a caption may still say the same twice if the model is sure of it).
        hedging: how much of the probability that "man" and "woman" have in common counts for "person" in the search,
            and likewise for all `GENDERED_WORDS`: from 0, nothing, to 1, all of it; see `hedge`.
        alternatives: the most alternatives reported for each word.

    Raises:
        ValueError: a value is out of range.
    """

    beam: int = 5
    candidates: int = 1
    length_penalty: float = 0.8
    max_tokens: int = 30
    no_repeated_trigram: bool = True
    repetition_cost: float = 2.0
    hedging: float = 1.0
    alternatives: int = 5

    @property
    def top_k(self) -> int:
        """R, the tokens kept at each step: more than are reported, because some do not begin a word."""
        return 2 * self.alternatives + 1 if self.alternatives else 0

    def __post_init__(self):
        if not 1 <= self.beam <= MOST_BEAMS:
            raise ValueError(f"beam must be from 1 to {MOST_BEAMS}, not {self.beam}")
        if not 1 <= self.candidates <= self.beam:
            raise ValueError(f"candidates must be from 1 to the beam ({self.beam}), not {self.candidates}")
        if not 1 <= self.max_tokens <= 200:
            raise ValueError(f"max_tokens must be from 1 to 200, not {self.max_tokens}")
        if not 0 <= self.repetition_cost < inf:
            raise ValueError(f"repetition_cost must be a number of at least 0, not {self.repetition_cost}")
        if not 0 <= self.hedging <= 1:
            raise ValueError(f"hedging must be from 0 to 1, not {self.hedging}")
        if self.alternatives < 0:
            raise ValueError(f"alternatives must not be negative, but is {self.alternatives}")
