"""The order in which photos of several data sets are drawn."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, zip_longest
from typing import TypeVar

from train.data.crops import shuffled

Item = TypeVar("Item")


@dataclass(frozen=True)
class Mixture:
    """An endless stream of photos from several data sets, as a pure function of the position.

    Every stretch of the stream holds the data sets in the proportion of their weights, and each data set is
    shuffled anew whenever all of its photos have been drawn.

    Args:
        sizes: number of photos in each data set. Photos are numbered through: those of the second data set
            follow those of the first.
        weights: how often to draw from each data set, relative to the others. By default the sizes, so that
            one epoch shows every photo once.

    Raises:
        ValueError: the weights are not one positive number for each data set.
    """

    sizes: Sequence[int]
    weights: Sequence[float] | None = None

    def __post_init__(self):
        if self.weights and (len(self.weights) != len(self.sizes) or min(self.weights) <= 0):
            raise ValueError(f"{len(self.sizes)} data sets need as many positive weights, not {list(self.weights)}.")

    def __call__(self, position: int, seed: int) -> int:
        """The number of the photo at a position of the stream."""
        weights = [Fraction(weight) for weight in self.weights or self.sizes]
        first = 0  # of the photos in the current data set
        for index, size in enumerate(self.sizes):
            # How many of the positions up to here fall on this data set; the rest is shared by those that follow.
            share = weights[index] / sum(weights[index:])
            drawn = int(position * share)
            if int((position + 1) * share) > drawn:
                return first + shuffled(drawn, size, seed)
            position -= drawn
            first += size
        raise AssertionError("The last data set's share of what is left is 1.")


def interleave_longest(*lists: Iterable[Item]) -> Iterator[Item]:
    """The items of several lists in turn; a list that has ended is passed over."""
    nothing = object()
    return (item for item in chain.from_iterable(zip_longest(*lists, fillvalue=nothing)) if item is not nothing)
