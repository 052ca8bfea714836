"""Photos that come through Gradio's API, which writes them to its own folder before it calls any function.

Gradio names an upload by its content, so equal uploads of several visitors are one file. It may be deleted only
after each of them has been used, so uploads are counted as they pass by.
"""

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

ROUTE = "/gradio_api/upload"
REFUSAL = b"The server has no room for more photos at the moment; please try again later."
MANY = 1000  # counted files; beyond that, files that no longer exist are forgotten


class ApiUploads:
    """Counts uploads, deletes them after use, and refuses those that do not fit.

    Args:
        folder: where Gradio writes them.
        most_bytes: how much the folder may grow beyond its present size.
    """

    def __init__(self, folder: Path, most_bytes: int):
        self._folder = folder
        self._most = most_bytes + self._size()
        self._lock = threading.Lock()
        self._uses: Counter[str] = Counter()  # how often each file was uploaded and not yet used
        self._announced = 0  # bytes of uploads that are running
        self._coming = 0  # running uploads; any of them may bring a file that is about to be deleted
        self._used: set[str] = set()

    def middleware(self, application: Application) -> Application:
        """ASGI middleware around Gradio."""

        async def serve(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith(ROUTE):
                await application(scope, receive, send)
                return
            size = int(dict(scope["headers"]).get(b"content-length", self._most))
            answer = bytearray()
            left = size

            async def limited() -> Message:
                nonlocal left
                message = await receive()
                left -= len(message.get("body", b""))
                return message if left >= 0 else {"type": "http.disconnect"}

            async def watched(message: Message) -> None:
                answer.extend(message.get("body", b""))
                await send(message)

            with self._lock:
                is_room = self._size() + self._announced + size <= self._most
                if is_room:
                    self._announced += size
                    self._coming += 1
            if not is_room:
                await send(
                    {"type": "http.response.start", "status": 503, "headers": [(b"content-type", b"text/plain")]}
                )
                await send({"type": "http.response.body", "body": REFUSAL})
                return
            try:
                await application(scope, limited, watched)
            finally:
                self._came(bytes(answer), size)

        return serve

    def use(self, path: str) -> None:
        """Notes that a file was used once. Gradio itself deletes files that were not uploaded."""
        with self._lock:
            if path in self._uses:
                self._uses[path] -= 1
                if self._uses[path] <= 0:
                    del self._uses[path]
                    self._used.add(path)
            self._delete()

    def _came(self, answer: bytes, size: int) -> None:
        try:
            paths = [path for path in json.loads(answer) if isinstance(path, str)]
        except (ValueError, TypeError):  # it was refused
            paths = []
        with self._lock:
            self._coming -= 1
            self._announced -= size
            self._uses.update(paths)
            self._used -= self._uses.keys()
            if len(self._uses) > MANY:
                self._uses = Counter({path: count for path, count in self._uses.items() if Path(path).exists()})
            self._delete()

    def _delete(self) -> None:
        if not self._coming:
            for path in self._used:
                with contextlib.suppress(OSError):
                    Path(path).unlink(missing_ok=True)
            self._used.clear()

    def _size(self) -> int:
        """Bytes in the folder."""
        total = 0
        for path in self._folder.rglob("*"):
            with contextlib.suppress(OSError):
                total += path.stat().st_size if path.is_file() else 0
        return total
