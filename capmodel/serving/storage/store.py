"""The photos that visitors brought: files in a private folder, kept for a while.

A photo's name is the SHA-256 of its content. So a photo is stored once, however often it is sent, and nobody can guess
the name of a photo that they do not have. No web server serves the folder.
"""

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import NoReturn, TypeVar

from capmodel.photos import PhotoError
from capmodel.serving.errors import PhotoGone, Refused, ServerClosing
from capmodel.serving.futures import result_of
from capmodel.serving.limits import Limits
from capmodel.serving.periodic import Periodic
from capmodel.serving.storage.folders import ServerFolder
from capmodel.serving.storage.upload import START, Upload

log = logging.getLogger(__name__)

PIECE = 1 << 18  # bytes that are written at a time

Result = TypeVar("Result")


@dataclass
class _Entry:
    size: int  # bytes on disk
    brought: float  # time.monotonic() when it was last sent: its age counts from here
    used: float  # and when it was last asked about: the least recently used leave when room is needed


class PhotoStore:
    """Keeps photos until they are too old or room is needed. Methods may be called from any thread.

    Args:
        folder: of this server; photos lie in a subfolder.
        limits: on the age, number and size of photos.
        on_leave: called with the name of each photo that leaves, while the store is locked.
    """

    def __init__(
        self,
        folder: ServerFolder,
        limits: Limits = Limits(),
        on_leave: Callable[[str], object] = lambda photo: None,
    ):
        self.limits = limits
        self.on_leave = on_leave
        self._folder, self._name = folder, f"photos-{token_hex(4)}"
        self._lock = threading.RLock()
        self._entries: dict[str, _Entry] = {}
        self._held: Counter[str] = Counter()  # how often each photo is held against leaving for lack of room
        self._kept: Counter[str] = Counter()  # how often each photo is held beyond its time
        self._incoming = 0  # bytes of uploads that are not complete
        self._stored = 0  # bytes of photos
        self._undeleted: set[Path] = set()  # files that could not be deleted yet
        self._closed = False
        self._disk = ThreadPoolExecutor(1, "disk")  # so that a slow disk does not block the event loop
        self._sweeper = Periodic(self.sweep, limits.sweep_seconds)

    # ---- photos come ----

    async def receive(self, stream: AsyncIterator[bytes], length: int | None = None) -> str:
        """Stores a photo while it arrives, and returns its name.

        Args:
            stream: the file's content in pieces; not read to its end if the photo is refused.
            length: of the content in bytes, if it is known before.

        Raises:
            PhotoError: it is too large, or its first bytes show that it is not a photo.
            Refused: there is no room for it, or it takes too long.
        """
        self._check_size(length or 0)
        try:
            async with asyncio.timeout(self.limits.upload_seconds):
                return await self._receive(stream)
        except TimeoutError as error:
            raise Refused("This photo took too long to arrive; please try again.") from error

    async def _receive(self, stream: AsyncIterator[bytes]) -> str:
        with await result_of(self._submit(Upload, self)) as upload:
            piece = bytearray()
            async for chunk in stream:
                piece += chunk
                self._check_size(upload.size + len(piece))
                if len(piece) >= (PIECE if upload.size else START):
                    await result_of(self._submit(upload.write, bytes(piece)))
                    piece.clear()
            await result_of(self._submit(upload.write, bytes(piece)))
            return await result_of(self._submit(upload.finish))

    async def receive_file(self, path: Path) -> str:
        """Stores a copy of a local file, and returns its name."""
        return await result_of(self._submit(self.add_file, path))

    def add_file(self, path: Path) -> str:
        """Stores a copy of a local file. Raises the errors of `receive`."""
        self._check_size(path.stat().st_size)
        with Upload(self) as upload, path.open("rb") as file:
            while piece := file.read(PIECE):
                upload.write(piece)
            return upload.finish()

    # ---- and are used ----

    def check(self, photo: str) -> None:
        """Raises `PhotoGone` if the photo is not here or its file was deleted; counts as a use."""
        with self._lock:
            entry = self._use(photo)
            if entry.size and not self.path(photo).exists():
                self._lose(photo)

    def read(self, photo: str) -> bytes:
        """The file's content.

        Raises:
            PhotoGone: it is not here, or its file was deleted.
        """
        with self._lock:
            self._use(photo)
        try:
            return self.path(photo).read_bytes()
        except FileNotFoundError:
            self._lose(photo)

    def hold(self, photos: Iterable[str], *, past_retention: bool = False) -> None:
        """Keeps these photos although room is needed, until they are released as often as they were held.

        Args:
            past_retention: keep them beyond their time, too.

        Raises:
            PhotoGone: one is not here; then none is held.
        """
        photos = list(photos)
        with self._lock:
            for photo in photos:
                self._use(photo)
            self._held.update(photos)
            if past_retention:
                self._kept.update(photos)

    def release(self, photos: Iterable[str], *, past_retention: bool = False) -> None:
        """Ends a `hold` with the same arguments."""
        photos = Counter(photos)
        with self._lock:
            self._held -= photos
            if past_retention:
                self._kept -= photos

    # ---- and leave ----

    def drop_file(self, photo: str) -> None:
        """Deletes a file that turned out not to be a photo; its name stays known."""
        with self._lock:
            if entry := self._entries.get(photo):
                self._stored -= entry.size
                entry.size = 0
                self._delete(self.path(photo))

    def sweep(self) -> None:
        """Deletes photos that are too old, and retries deletions that failed."""
        oldest = time.monotonic() - self.limits.retention_seconds
        with self._lock:
            for path in list(self._undeleted):
                self._delete(path)
            for photo in [key for key, entry in self._entries.items() if entry.brought < oldest]:
                if photo not in self._kept:
                    self._forget(photo)

    def close(self) -> None:
        """Deletes all photos. Uploads that still arrive get `ServerClosing`."""
        with self._lock:
            self._closed = True
        self._sweeper.close()
        self._disk.shutdown(cancel_futures=True)
        self._folder.remove(self._name)

    def path(self, photo: str) -> Path:
        """The path of the photo's file, if it is here."""
        return self._folder.path / self._name / photo

    def files(self) -> list[Path]:
        """The files that are on disk now."""
        return sorted(self._folder.make(self._name).iterdir())

    # ---- what an upload asks for ----

    def new_file(self) -> Path:
        """A path for an upload. The folder is created anew if it was deleted while the server runs."""
        return self._folder.make(self._name) / f"incoming-{token_hex(8)}"

    def reserve(self, size: int, count: int) -> None:
        """Reserves room for `count` more bytes of an upload that has `size` bytes."""
        with self._lock:
            if self._closed:
                raise ServerClosing
            self._check_size(size + count)
            if self._incoming + count > self.limits.incoming_bytes:
                raise Refused("Too many photos are on their way to the server; please try again in a moment.")
            self._make_room(count)
            self._incoming += count

    def unreserve(self, count: int) -> None:
        """Releases a reservation."""
        with self._lock:
            self._incoming -= count

    def admit(self, path: Path, photo: str, size: int) -> None:
        """Takes over the file of a complete upload, or deletes it if the photo is here already."""
        with self._lock:
            self._incoming -= size
            now = time.monotonic()
            entry = self._entries.get(photo)
            if entry and self.path(photo).exists():
                entry.brought = entry.used = now
                path.unlink()
                return
            try:
                if not entry:
                    self._make_room(size, photos=1)
                path.replace(self.path(photo))
            except BaseException:
                self._incoming += size  # the upload still has its reservation and releases it
                raise
            self._stored += size - (entry.size if entry else 0)
            self._entries[photo] = _Entry(size, now, now)

    # ---- with the lock ----

    def _use(self, photo: str) -> _Entry:
        if photo not in self._entries:
            raise PhotoGone
        entry = self._entries[photo]
        entry.used = time.monotonic()
        return entry

    def _check_size(self, size: int) -> None:
        if size > self.limits.photo_bytes:
            largest = f"{self.limits.photo_bytes / 1e6:g} MB"
            raise PhotoError(f"This file is larger than {largest}; please make it smaller.")

    def _make_room(self, size: int, photos: int = 0) -> None:
        def is_full() -> bool:
            bytes_then = self._stored + self._incoming + size
            return bytes_then > self.limits.stored_bytes or len(self._entries) + photos > self.limits.photos

        if not is_full():
            return
        for photo in sorted(self._entries.keys() - self._held.keys(), key=lambda each: self._entries[each].used):
            self._forget(photo)
            if not is_full():
                return
        raise Refused("The server has no room for more photos at the moment; please try again later.")

    def _lose(self, photo: str) -> NoReturn:
        with self._lock:
            self._forget(photo)
        raise PhotoGone

    def _forget(self, photo: str) -> None:
        if entry := self._entries.pop(photo, None):
            self._stored -= entry.size
            self._delete(self.path(photo))
            self.on_leave(photo)

    def _delete(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
            self._undeleted.discard(path)
        except OSError as error:
            if path not in self._undeleted:
                log.warning("a photo could not be deleted yet: %s", error.strerror)
            self._undeleted.add(path)

    def _submit(self, function: Callable[..., Result], *arguments: object) -> "Future[Result]":
        try:
            return self._disk.submit(function, *arguments)
        except RuntimeError as error:  # the pool is closed
            raise ServerClosing from error
