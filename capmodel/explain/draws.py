"""Random cells that are the same in Python and in the browser, which has no generator of numpy's."""

from collections.abc import Callable, Iterable

_MASK = 0xFFFFFFFF


def draw(values: Iterable[int], count: int, random: Callable[[], int]) -> list[int]:
    """Draws `count` of the values without replacement, by the first steps of a Fisher-Yates shuffle.

    Args:
        random: gives whole numbers of 32 bits.
    """
    drawn = list(values)
    for at in range(count):
        other = at + random() % (len(drawn) - at)
        drawn[at], drawn[other] = drawn[other], drawn[at]
    return drawn[:count]


def generator(seed: int) -> Callable[[], int]:
    """Mulberry32, a generator of whole numbers of 32 bits."""
    state = seed & _MASK

    def random() -> int:
        nonlocal state
        state = (state + 0x6D2B79F5) & _MASK
        mixed = (state ^ state >> 15) * (state | 1) & _MASK
        mixed ^= mixed + ((mixed ^ mixed >> 7) * (mixed | 61) & _MASK) & _MASK
        return mixed ^ mixed >> 14

    return random
