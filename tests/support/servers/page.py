"""The page in its own process."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[3]
SECONDS = 60  # in which it must start


@contextmanager
def serve_page(
    *arguments: str,
    program: Sequence[str] = ("app.py",),
    environment: dict[str, str] | None = None,
    log: IO | int = subprocess.DEVNULL,
) -> Iterator[tuple[str, subprocess.Popen]]:
    """Starts the page, yields its address and its process, and ends it with SIGTERM.

    Args:
        arguments: for app.py.
        program: what Python runs.
        environment: all environment variables; by default those of this process.
        log: where the output goes.

    Raises:
        AssertionError: the page did not start.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-u", *program, "--port", str(port), *arguments]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}/"
    try:
        _wait(address, server)
        yield address, server
    finally:
        server.terminate()
        server.wait(30)


def _wait(address: str, server: subprocess.Popen) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            urllib.request.urlopen(address).close()
            return
        except OSError:
            assert server.poll() is None, "the page ended"
            assert time.monotonic() < deadline, "the page did not start"
            time.sleep(0.2)
