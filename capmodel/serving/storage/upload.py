"""A photo that is being uploaded."""

import contextlib
import hashlib
import os
import threading
from pathlib import Path
from typing import Protocol

from capmodel.photos import PhotoError, may_be_photo
from capmodel.photos.errors import EMPTY, NOT_A_PHOTO

START = 4096  # bytes that tell whether a file may be a photo


class Keeper(Protocol):
    """Reserves room for an upload and takes over the finished file."""

    def new_file(self) -> Path: ...
    def reserve(self, size: int, count: int) -> None: ...
    def unreserve(self, count: int) -> None: ...
    def admit(self, path: Path, photo: str, size: int) -> None: ...


class Upload:
    """Writes a photo's content to a file and hashes it on the way. As a context manager it leaves no file behind.

    The keeper counts bytes as they arrive. Methods raise the keeper's errors, and `PhotoError` for a file that is not a
    photo.
    """

    def __init__(self, keeper: Keeper):
        self.size = 0  # bytes so far
        self._keeper = keeper
        self._lock = threading.Lock()  # a request may be cancelled while its write still runs in a thread
        self._hash = hashlib.sha256()
        self._start = b""
        self._path = keeper.new_file()
        self._file = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)

    def write(self, data: bytes) -> None:
        """Appends the next piece of the content."""
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
        """Hands the file over to the keeper and returns the photo's name."""
        with self._lock:
            if not self.size:
                raise PhotoError(EMPTY)
            self._check_start()
            self._file.close()
            photo = self._hash.hexdigest()
            self._keeper.admit(self._path, photo, self.size)
            self.size = 0
            return photo

    def close(self) -> None:
        """Deletes the file unless it was handed over."""
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
            raise PhotoError(NOT_A_PHOTO)
