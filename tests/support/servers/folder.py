"""A web server for folders, as plain as one can be, or with the headers that isolate a page."""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder, quietly.

    Args:
        isolated: with the headers that let pages compute in several threads.
    """

    def __init__(self, *arguments, isolated: bool, folder: Path | None = None):
        self.isolated = isolated
        super().__init__(*arguments, directory=folder and str(folder))

    def end_headers(self) -> None:
        if self.isolated:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address) -> None:
        """A browser that was closed in the middle of a download is none."""


@contextmanager
def serve_folder(folder: Path, isolated: bool = False) -> Iterator[str]:
    """The address of a folder; `isolated`: pages in it may compute in several threads."""
    with serve(Handler, folder=folder, isolated=isolated) as address:
        yield address


@contextmanager
def serve(handler: type[Handler], **options: Any) -> Iterator[str]:
    """The address of a server whose requests a handler answers; `options` are its arguments."""
    server = _Server(("127.0.0.1", 0), functools.partial(handler, **options))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
