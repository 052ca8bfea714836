"""JSON files: one value, or a record a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from train.data.errors import DataError, at, quoted
from train.data.text_files import read_text

Record = dict[str, Any]


def read_json(path: Path) -> Any:
    """The value of a JSON file.

    Raises:
        DataError: the file is not JSON, or cannot be read.
    """
    return _parse(path, read_text(path), None)


def read_records(path: Path) -> Iterator[tuple[int | str, Record]]:
    """The records of a file in JSON Lines, or of one JSON array, each with its line or its place in the array.

    A ``.json`` file may also hold one object of captions by photo: its records are ``file_name`` and ``text``.

    Raises:
        DataError: a line is not a JSON object, or the file cannot be read.
    """
    text = read_text(path)
    if path.suffix == ".json" or text.lstrip().startswith("["):
        values = _parse(path, text, None)
        if isinstance(values, dict):
            values = [{"file_name": name, "text": captions} for name, captions in values.items()]
        expect(values, list, path, None)
        placed = ((f"record {number}", value) for number, value in enumerate(values, 1))
    else:
        lines = enumerate(text.split("\n"), 1)  # JSON allows other line separators inside its strings
        placed = ((number, _parse(path, line, number)) for number, line in lines if line.strip())
    for where, value in placed:
        yield where, expect(value, dict, path, where)


def expect(value: Any, kind: type, path: Path, where: int | str | None) -> Any:
    """The value, if it is of this kind.

    Raises:
        DataError: it is of another kind.
    """
    if not isinstance(value, kind):
        names = {dict: "an object {...}", list: "a list [...]", str: "text in quotation marks", int: "a whole number"}
        raise DataError(f"{at(path, where)}: {quoted(value)} stands where {names[kind]} belongs.")
    return value


def member(record: Any, key: str, kind: type, path: Path, where: int | str | None) -> Any:
    """The value of a key of an object, if it is there and of this kind.

    Raises:
        DataError: the record is no object, or the value is missing or of another kind.
    """
    expect(record, dict, path, where)
    if key not in record:
        raise DataError(f"{at(path, where)}: {key!r} is missing; there is {quoted(list(record))}.")
    return expect(record[key], kind, path, where)


def _parse(path: Path, text: str, line: int | None) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = line or error.lineno
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
            raise DataError(
                f"{at(path, where)}: the JSON breaks off here; the file may be cut short, so copy or download it again."
            ) from error
        raise DataError(
            f"{at(path, where)}: this is not JSON ({error.msg}, column {error.colno}); correct the line."
        ) from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, or as many brackets in each other
        raise DataError(
            f"{at(path, line)}: the JSON is nested too deeply, or has a number that is too long."
        ) from error
