"""Work that takes longer than a web request should: started, then asked after."""

import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

KEPT = 200  # jobs whose state is remembered

Progress = Callable[[int, int], None]


@dataclass
class JobState:
    """How far a job is: `done` of `total` parts; at the end its `file`, or what went wrong."""

    done: int = 0
    total: int = 0
    file: Path | None = None
    error: Exception | None = None


class Jobs:
    """Runs jobs one after the other in the background."""

    def __init__(self):
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="jobs")
        self._states: OrderedDict[str, JobState] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, work: Callable[[Progress], Path]) -> str:
        """Starts `work(progress)`, which reports ``progress(done, total)`` and returns a file.

        Returns the job's name, which cannot be guessed.
        """
        name, state = secrets.token_urlsafe(16), JobState()
        with self._lock:
            self._states[name] = state
            while len(self._states) > KEPT:
                self._states.popitem(last=False)

        def progress(done: int, total: int) -> None:
            state.done, state.total = done, total

        def run() -> None:
            try:
                state.file = work(progress)
            except Exception as error:  # told to whoever asks
                state.error = error
                log.warning("a job failed", exc_info=error)

        self._pool.submit(run)
        return name

    def state(self, name: str) -> JobState:
        """Raises KeyError for a name that is not, or no longer, known."""
        with self._lock:
            return self._states[name]
