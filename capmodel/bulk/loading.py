"""Loads the photos of a part for `capmodel.bulk`, and survives photos that crash the loading process."""

from collections import Counter
from pathlib import Path

import numpy as np

from capmodel.bulk.sources import Place, read_places
from capmodel.photos import PhotoError, load_square

DEATHS = 3  # crashes of processes at the same photo before it is skipped


def load_part(row: dict, out: Path, image_size: int, interpolation: str) -> dict:
    """Loads the photos of a part, as `Captioner.load_square` does. It needs no model, so any core can do it.

    If a task's process dies, Ray Data restarts the task without limit. A decoding library may crash, not merely fail,
    and would then crash every time. So a diary records which photo was begun last; it is deleted at the end.

    Args:
        row: ``part``, its number; ``keys``; ``places``, the fields of `Place` by name, or None for a photo that is no
            longer in the sources.
        out: the folder for the results, which holds the diary.
        image_size: S.

    Returns:
        The part and its keys; ``squares``, uint8 (photos, S, S, 3), black where there is no photo; ``errors``, for
        each photo None or the reason why it could not be loaded.
    """
    squares = np.zeros((len(row["keys"]), image_size, image_size, 3), np.uint8)
    errors: list[str | None] = ["This photo is no longer in the sources."] * len(squares)
    diary = out / f".loading-{row['part']:06}"
    there = {number: Place(**place) for number, place in enumerate(row["places"]) if place}
    for number in _deadly(diary) & there.keys():
        del there[number]
        errors[number] = f"This photo crashed {DEATHS} processes that read it."
    photos = read_places(list(there.values()))
    with diary.open("ab", buffering=0) as begun:
        begun.write(b"\n")  # a line for each attempt
        for number in there:
            begun.write(b"%d " % number)
            photo = next(photos)
            try:
                if isinstance(photo, PhotoError):
                    raise photo
                squares[number] = load_square(photo, image_size, interpolation)
                errors[number] = None
            except PhotoError as error:
                errors[number] = str(error)
    diary.unlink(missing_ok=True)
    return {"part": row["part"], "keys": row["keys"], "squares": squares, "errors": errors}


def _deadly(diary: Path) -> set[int]:
    """The photos at which `DEATHS` attempts ended. A single one may be chance: any process can be killed."""
    attempts = diary.read_bytes().splitlines() if diary.exists() else []
    last = Counter(int(attempt.split()[-1]) for attempt in attempts if attempt.strip())
    return {number for number, deaths in last.items() if deaths >= DEATHS}
