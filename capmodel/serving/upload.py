"""A photo on its way to the disk."""

import contextlib
import hashlib
import os
import threading
from pathlib import Path
from typing import Protocol

from capmodel.photos import PhotoError, may_be_photo

START = 4096  # bytes that tell whether a file may be a photo


class Keeper(Protocol):
    """Who gives an upload its room, and takes in what has arrived."""

    def new_file(self) -> Path: ...
    def reserve(self, size: int, count: int) -> None: ...
    def unreserve(self, count: int) -> None: ...
    def admit(self, path: Path, photo: str, size: int) -> None: ...


class Upload:
    """Writes a photo's content to a file and hashes it meanwhile; as a context, it leaves nothing behind.

    Its bytes count for the keeper from when they arrive. Methods raise what the keeper raises, and `PhotoError` for what
    is no photo.
    """

    def __init__(self, keeper: Keeper):
        self.size = 0  # bytes so far
        self._keeper = keeper
        self._lock = threading.Lock()  # whoever waits for a write may leave before the write is over
        self._hash = hashlib.sha256()
        self._start = b""
        self._path = keeper.new_file()
        self._file = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)

    def write(self, data: bytes) -> None:
        """Takes in the next piece of the content."""
        with self._lock:
            if self._file.closed:
                return
            self._keeper.reserve(self.size, len(data))
            self.size += len(data)
            if len(self._start) < START:
                self._start += data[: START - len(self._start)]
                if len(self._start) == START:
                    self._check_start()
            self._hash.update(data)
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]

    def finish(self) -> str:
        """Hands the file to the keeper, and returns the photo's name."""
        with self._lock:
            if not self.size:
                raise PhotoError("This file is empty.")
            self._check_start()
            self._file.close()
            photo = self._hash.hexdigest()
            self._keeper.admit(self._path, photo, self.size)
            self.size = 0
            return photo

    def close(self) -> None:
        """Deletes what arrived, if it was not handed over."""
        with self._lock:
            self._file.close()
            self._keeper.unreserve(self.size)
            self.size = 0
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def __enter__(self) -> "Upload":
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _check_start(self) -> None:
        if not may_be_photo(self._start):
            raise PhotoError("This file is not a photo in a format that can be read.")
