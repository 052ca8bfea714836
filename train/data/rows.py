"""What every layout is read into: rows of one photo and one caption, each with the place that it comes from."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from train.data.errors import DataError, at, named, some, tell

SPLITS = ("train", "dev", "test")
SPLIT_NAMES = {  # as other data sets call them
    "train": ("train", "training", "restval"),
    "dev": ("dev", "val", "valid", "validation"),
    "test": ("test", "testing"),
}
UNUSUAL = 3  # times as long as usual: such a caption may be several that have run together


@dataclass(frozen=True)
class Row:
    """A photo and one of its captions.

    Attributes:
        photo: a file.
        caption: empty if there is none.
        file: that the row was read from.
        where: in that file: a line's number, or another place in words.
        split: one of `SPLITS`; None: the data set has no splits, and the photo's name decides.
    """

    photo: Path
    caption: str
    file: Path
    where: int | str | None = None
    split: str | None = None

    @property
    def place(self) -> str:
        return at(self.file, self.where)


def split_named(name: str) -> str | None:
    """Which of `SPLITS` a name such as "validation" stands for; None: none of them."""
    return next((split for split, names in SPLIT_NAMES.items() if name.strip().lower() in names), None)


def split_of(row: Row) -> str:
    """The split that a photo belongs to.

    Without splits of the data set's own, 80 % of the photos are for training, 10 % for dev and 10 % for test, by file
    name, so that a photo stays where it is when others are added.
    """
    return row.split or pick_by_name(row.photo.name, (*("train",) * 8, "dev", "test"))


def pick_by_name(name: str, choices: Sequence[str]) -> str:
    """One of the choices, always the same for a name, and each for as many names."""
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()  # names from JSON may hold half characters
    return choices[int(digest, 16) % len(choices)]


def clean_captions(rows: Iterable[Row]) -> list[Row]:
    """The rows with each caption in one line and without blanks around it. Tells of captions that look damaged.

    Raises:
        DataError: a caption has characters that no text can have.
    """
    cleaned, broken = [], []
    for row in rows:
        caption = row.caption.strip()
        if "\n" in caption:
            broken.append(row)
            caption = " ".join(caption.split())
        if not caption.isascii():
            try:
                caption.encode()
            except UnicodeEncodeError as error:
                half = f"\\u{ord(caption[error.start]):04x}"
                raise DataError(f"{row.place}: {half} is half a character; remove it from the caption.") from error
        cleaned.append(Row(row.photo, caption, row.file, row.where, row.split))
    if broken:
        _tell("captions with line breaks, read as one line each", [(row, "") for row in broken])
    lengths = [len(row.caption.split()) for row in cleaned]
    usual = median(lengths) if lengths else 0
    long = [(row, f" ({n} words)") for row, n in zip(cleaned, lengths, strict=True) if n > UNUSUAL * usual]
    if long:
        _tell(f"captions more than {UNUSUAL} times as long as usual ({usual:g} words), please check", long)
    return cleaned


def _tell(what: str, rows: list[tuple[Row, str]]) -> None:
    places = [f"{named(row.where)}{remark}" if row.where else f"{row.file}{remark}" for row, remark in rows]
    tell(f"{rows[0][0].file}: {what}: {some(places)}.")
