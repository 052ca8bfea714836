"""Periodic work in the background."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class Periodic:
    """Calls `work` every `seconds` seconds in its own thread until it is closed.

    Errors are logged; the next call may succeed.
    """

    def __init__(self, work: Callable[[], object], seconds: float):
        self._work, self._seconds = work, seconds
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=work.__qualname__, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops, and waits for a call that is running."""
        self._closed.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(self._seconds):
            try:
                self._work()
            except Exception:
                log.exception("%s failed", self._work.__qualname__)
