"""Tables in text: CSV, or with semicolons, tabs or bars between the columns."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from train.data.errors import DataError, at, tell
from train.data.text_files import read_text

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
# In the known files with bars, and in many with tabs, a quotation mark is part of the text.
NEVER_QUOTED = "|"
SELDOM_QUOTED = "\t"
PHOTO_NAME = r"[^\n{delimiter}]+\.(?:jpe?g|png|webp|gif|bmp|tiff?|heic|avif)\s*{delimiter}"

Fields = dict[str, str]


def split_header(path: Path, line: str) -> tuple[str, list[str]]:
    """The delimiter of a table and the names of its columns, from its first line.

    The delimiter is the one that finds most columns.
    """
    candidates = [(delimiter, next(csv.reader([line], delimiter=delimiter), [])) for delimiter in DELIMITERS]
    delimiter, columns = max(candidates, key=lambda candidate: len(candidate[1]))
    return delimiter, [column.strip() for column in columns]


def read_delimited(path: Path) -> Iterator[tuple[int, Fields]]:
    """The rows of a table below its header, each with the number of its first line; rows without text are left out.

    Raises:
        DataError: a row has more fields than there are columns, or a quotation mark does not close.
    """
    text = read_text(path)
    delimiter, columns = split_header(path, text.partition("\n")[0])
    empty = []
    for line, fields in _rows(path, text, delimiter):
        if not any(field.strip() for field in fields):
            if fields:
                empty.append(line)
            continue
        if any(field.strip() for field in fields[len(columns) :]):
            raise DataError(
                f"{at(path, line)}: {len(fields)} fields for {len(columns)} columns; put double quotation marks around "
                f"every caption that contains a {DELIMITERS[delimiter]}."
            )
        yield line, dict(zip(columns, (*fields, *[""] * len(columns))))
    if empty:
        tell(f"{at(path, empty[0])}: this row is empty, as are {len(empty) - 1} others; they are skipped.")


def _rows(path: Path, text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    if delimiter == SELDOM_QUOTED:
        try:
            return list(_parse(path, text, delimiter, csv.QUOTE_MINIMAL))
        except DataError:
            return list(_parse(path, text, delimiter, csv.QUOTE_NONE))
    return list(_parse(path, text, delimiter, csv.QUOTE_NONE if delimiter == NEVER_QUOTED else csv.QUOTE_MINIMAL))


def _parse(path: Path, text: str, delimiter: str, quoting: int) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, skipinitialspace=True, strict=True
    )
    swallowed = re.compile(r"\n\s*" + PHOTO_NAME.format(delimiter=re.escape(delimiter)), re.IGNORECASE)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(_unclosed(path, line)) from error
        if any("\n" in field and swallowed.search(field) for field in fields):
            raise DataError(_unclosed(path, line))
        if line > 1:
            yield line, fields


def _unclosed(path: Path, line: int) -> str:
    return (
        f"{at(path, line)}: a quotation mark opens a caption here and does not close it; close it at the end of the "
        'caption, and write quotation marks inside twice ("").'
    )
