"""Text files in the encodings that people's programs write."""

import codecs
from pathlib import Path

from train.data.errors import DataError, at

# Longer marks first: that of UTF-32 begins with that of UTF-16.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Files of these names that hold something else, by their first bytes, and what to do about it.
NO_TEXT = {
    b"PK\x03\x04": "is a spreadsheet or a zip archive: save it as text (CSV UTF-8), or unpack it",
    b"\xd0\xcf\x11\xe0": "is a spreadsheet: save it as text (CSV UTF-8)",
    b"\x1f\x8b": "is compressed: unpack it",
    b"version https://git-lfs": "is only a pointer to the file: fetch the file with `git lfs pull`",
    b"<!doctype html": "is a web page: download the file itself",
    b"<html": "is a web page: download the file itself",
}


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark; its lines end with a line feed.

    Raises:
        DataError: the file cannot be read, or is in another encoding, or is not text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    for start, what in NO_TEXT.items():
        if data[: len(start)].lower() == start.lower():
            raise DataError(f"{path} {what}.")
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        found = f"the byte 0x{data[error.start]:02X} is not {encoding.removesuffix('-sig').upper()}"
        raise DataError(f"{at(path, line)}: {found}; save the file in UTF-8.") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{at(path, line)}: a NUL character, as UTF-16 text has them; save the file in UTF-8.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without their line feeds; no other character ends a line.

    Raises:
        DataError: as for `read_text`.
    """
    lines = read_text(path).split("\n")
    return lines[:-1] if not lines[-1] else lines
