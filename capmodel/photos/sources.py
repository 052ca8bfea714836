"""What people give as a photo: the path of a file, its content, an open file, or pixels."""

import errno
import io
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol, TypeAlias, cast

import numpy as np
from PIL import Image

from capmodel.photos.arrays import is_array, is_several
from capmodel.photos.errors import EMPTY, NOT_A_PHOTO, PhotoError
from capmodel.photos.formats import START, may_be_photo


class ArrayLike(Protocol):
    """An array of any library, such as a tensor of PyTorch."""

    @property
    def shape(self) -> Any: ...
    @property
    def dtype(self) -> Any: ...
    def __array__(self) -> np.ndarray: ...


FileSource: TypeAlias = str | os.PathLike | bytes | bytearray | memoryview | IO[bytes]
PhotoSource: TypeAlias = FileSource | Image.Image | np.ndarray | ArrayLike

MAX_BYTES = 1_000_000_000  # of a file: 100 million pixels of 16 bits take 800 MB without compression
PIECE = 1 << 20  # bytes read at once from a pipe
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # two letters at least: C:/ is a drive
_SINGLE = str | os.PathLike | bytes | bytearray | memoryview | Image.Image | Mapping


def is_one_photo(value: object) -> bool:
    """Whether a value stands for one photo, good or bad; else it is an iterable of photos.

    An array of four dimensions is many photos. A dict or a number is one photo that cannot be read.
    """
    if is_array(value):
        return not is_several(value)
    return isinstance(value, _SINGLE) or hasattr(value, "read") or not isinstance(value, Iterable)


def each_photo(photos: PhotoSource | Iterable[PhotoSource]) -> Iterator[PhotoSource]:
    """One photo or many as an iterator."""
    if is_one_photo(photos):
        photos = [cast(PhotoSource, photos)]
    return iter(cast(Iterable[PhotoSource], photos))


def read_file(source: FileSource) -> bytes:
    """The content of a photo's file. A pipe is read to its end, so it can be read only once.

    Args:
        source: a path, where ``~`` is the user's home; the content itself; or a file that is open in binary mode. An
            open file is read from its start where possible, and stays open.

    Raises:
        PhotoError: the file is missing, empty, larger than a gigabyte, or no photo by its first bytes; or the source is
            of another type.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data = source if isinstance(source, bytes) else bytes(source)
        _check_start(data[:START])
        return data
    if isinstance(source, str | os.PathLike):
        return _read_path(source)
    if hasattr(source, "read"):
        return _read_open_file(source)
    raise PhotoError(
        f"A photo cannot be read from a value of type {type(source).__name__}; give a path, the content of a file, "
        "a file open in binary mode, a PIL image, an array or a tensor."
    )


def _read_path(source: str | os.PathLike) -> bytes:
    path = Path(os.fsdecode(source))
    if path.parts[:1] == ("~",):
        with suppress(RuntimeError):  # nobody knows where it is
            path = path.expanduser()
    try:
        status = path.stat()
        _check_kind(status.st_mode)
        _check_length(status.st_size)
        with path.open("rb") as file:
            if not stat.S_ISREG(status.st_mode):
                return _read(file)
            _check_start(file.read(START))
            file.seek(0)
            return file.read()
    except PhotoError:
        raise
    except (OSError, ValueError) as error:  # ValueError: the name holds a character that no name may hold
        raise PhotoError(why_not(os.fsdecode(source), error)) from error


def _check_kind(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise PhotoError("This is a folder, not a photo.")
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise PhotoError(f"This is a {'socket' if stat.S_ISSOCK(mode) else 'device'}, not a photo.")


def why_not(name: str, error: Exception) -> str:
    """Why there is no file of this name, or why it cannot be opened."""
    too_long = isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG
    if not (too_long or isinstance(error, FileNotFoundError | NotADirectoryError | ValueError)):
        return "This file could not be opened for reading."
    if name.startswith("data:"):
        return "This is a data URL, not a path; decode it and give its bytes."
    if _ADDRESS.match(name):
        return "This is an address, not a path; download the photo first, then give its path."
    if too_long:
        return "This text is too long for the name of a file; give the path of a photo."
    return "This file does not exist."


def _read_open_file(file: Any) -> bytes:
    if isinstance(file, io.TextIOBase):
        raise PhotoError('This file is open in text mode; open it with mode "rb".')
    if getattr(file, "closed", False) is True:
        raise PhotoError("This file is closed; open it, or give its path.")
    try:
        with suppress(AttributeError, OSError):  # a pipe or a download
            file.seek(0)  # as Pillow does: after writing to it, one is at its end
        return _read(file)
    except OSError as error:
        raise PhotoError("This file could not be read.") from error


def _read(file: Any) -> bytes:
    start = _read_start(file)
    _check_start(start)
    pieces, length = [start], len(start)
    while piece := file.read(PIECE):
        pieces.append(piece)
        length += len(piece)
        _check_length(length)
    return b"".join(pieces)


def _check_length(length: int) -> None:
    if length > MAX_BYTES:
        raise PhotoError(f"This file is larger than {MAX_BYTES // 1_000_000_000} GB; please make it smaller.")


def _read_start(file: Any) -> bytes:
    start = b""
    while len(start) < START:  # a pipe may give less than was asked for
        piece = file.read(START - len(start))
        if not isinstance(piece, bytes):
            raise PhotoError(f'This file gives {type(piece).__name__} instead of bytes; open it with mode "rb".')
        if not piece:
            break
        start += piece
    return start


def _check_start(start: bytes) -> None:
    if not start:
        raise PhotoError(EMPTY)
    if not may_be_photo(start):
        raise PhotoError(NOT_A_PHOTO)
