"""Loads the photos of a part for `capmodel.bulk`, and survives those that crash the process that loads them."""

from collections import Counter
from pathlib import Path

import numpy as np

from capmodel.bulk.sources import Place, read_places
from capmodel.photos import PhotoError, load_square

DEATHS = 3  # of processes at the same photo, before it is left out


def load_part(row: dict, out: Path, image_size: int, interpolation: str) -> dict:
    """Loads the photos of a part, as `Captioner.load_square` does. Needs no model, so any core can do it.

    Ray Data starts a task whose process died again and again. A library that decodes photos may crash, not merely
    fail, and would crash each time. So a diary says which photo was begun last, and is deleted at the end.

    Args:
        row: ``part``, its number; ``keys``; ``places``, the fields of `Place` by name, or None for a photo that has
            gone from the sources.
        out: the folder of the results, for the diary.
        image_size: S.

    Returns:
        The part and its keys; ``squares``, uint8 (photos, S, S, 3), black where there is no photo; ``errors``, for
        each photo None or why there is none.
    """
    squares = np.zeros((len(row["keys"]), image_size, image_size, 3), np.uint8)
    errors: list[str | None] = ["This photo is no longer in the sources."] * len(squares)
    diary = out / f".loading-{row['part']:06}"
    there = {number: Place(**place) for number, place in enumerate(row["places"]) if place}
    for number in _deadly(diary) & there.keys():
        del there[number]
        errors[number] = f"This photo made {DEATHS} processes crash that read it."
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
    """The photos at which attempts ended often enough. Once may be chance: any process can be killed."""
    attempts = diary.read_bytes().splitlines() if diary.exists() else []
    last = Counter(int(attempt.split()[-1]) for attempt in attempts if attempt.strip())
    return {number for number, deaths in last.items() if deaths >= DEATHS}
