"""What is said of data that cannot be used, or not as they are."""

import json
import os
import sys
from functools import cache
from pathlib import Path

SHOWN = 5  # examples of one fault that a message lists


class DataError(SystemExit):
    """Data are missing or malformed; the message is one sentence that says what, where, and what to do."""

    def __init__(self, message: str):
        super().__init__(_one_line(message))


@cache
def tell(message: str) -> None:
    """Prints a remark on the data to stderr, once, however often the data are read and by how many processes."""
    if os.environ.get("RANK", "0") == "0":
        print(_one_line(message), file=sys.stderr, flush=True)


def leave_out(said: str, *, skip_bad: bool, some_left: bool, hint: str = "") -> None:
    """Tells that bad photos are left out.

    Args:
        said: which ones, and why: a sentence.
        skip_bad: whether they may be left out.
        some_left: whether others are left.
        hint: what to do if none is left.

    Raises:
        DataError: they may not be left out, or none is left.
    """
    if not skip_bad:
        raise DataError(f"{said} Correct this, or leave such photos out with --skip-bad.")
    if not some_left:
        raise DataError(f"{said} Nothing is left. {hint}".rstrip())
    tell(f"{said} They are left out.")


def at(path: Path, where: int | str | None) -> str:
    """A place in a file, as in "captions.csv, line 3".

    Args:
        where: a line's number, counted from 1, or another place such as "image 3" or "record 3".
    """
    return str(path) if where is None else f"{path}, {named(where)}"


def named(where: int | str) -> str:
    """A place within a file, as in "line 3"."""
    return f"line {where}" if isinstance(where, int) else where


def quoted(value: object) -> str:
    """A value from a file, as JSON where it can be, and not too long to read."""
    return _short(json.dumps(value, default=str), 40)


def some(items: list[str]) -> str:
    """The first of many items, and how many there are beside these."""
    rest = len(items) - SHOWN
    return "; ".join(_short(item, 400) for item in items[:SHOWN]) + (f"; and {rest} more" if rest > 0 else "")


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2]}...{text[-most // 2 :]}"


def _one_line(message: str) -> str:
    """A message in one line, although what it quotes from damaged files may hold any character."""
    return "".join(character if character.isprintable() else " " for character in message)
