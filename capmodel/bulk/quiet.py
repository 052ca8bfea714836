"""Keeps Ray's own messages off the screen."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

# Lines of Ray's C++ code below "fatal", such as "[2026-01-31 12:00:00,000 E 17 17] core_worker.cc:2465: Actor ...".
_MESSAGE = re.compile(rb"\[\d{4}-\d\d-\d\d [\d:,.]+ [DIWE] \d+ \d+\] ")


@contextmanager
def without_ray_messages() -> Iterator[None]:
    """Leaves out what Ray's C++ code writes to stderr: warnings and errors that it recovers from by itself.

    It has no setting for that: even RAY_BACKEND_LOG_LEVEL adds a line. Everything else passes.
    """
    sys.stderr.flush()
    screen = os.dup(2)
    reader, writer = os.pipe()
    os.dup2(writer, 2)
    os.close(writer)
    thread = Thread(target=_pass_on, args=(reader, screen), daemon=True)
    thread.start()
    before = sys.stderr
    if before is sys.__stderr__:  # else it does not lead to the screen
        sys.stderr = os.fdopen(os.dup(screen), "w", buffering=1, errors=before.errors)
    try:
        yield
    finally:
        if sys.stderr is not before:
            sys.stderr.close()
        sys.stderr = before
        os.dup2(screen, 2)  # closes the pipe, unless a process of Ray still holds it
        thread.join(1)


def _pass_on(reader: int, screen: int) -> None:
    with os.fdopen(reader, "rb") as lines:
        for line in lines:
            if not _MESSAGE.match(line):
                os.write(screen, line)
