"""Files that take longer to make than a web request should: started, asked after, and deleted in time."""

import logging
import math
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from capmodel.serving.periodic import repeat

log = logging.getLogger(__name__)

Progress = Callable[[int], None]


@dataclass
class JobState:
    """How far a job is: how many of its parts are `done`; at the end its `file`, or its `error`, and `since` when it is over."""

    done: int = 0
    file: Path | None = None
    error: Exception | None = None
    since: float = math.inf


class Jobs:
    """Makes files one after the other in the background.

    Args:
        retention_seconds: after which a file that was made, and its job, are deleted.
        expected: errors that are told to whoever asks, and not logged.
    """

    def __init__(self, retention_seconds: float, expected: tuple[type[Exception], ...] = ()):
        self.retention_seconds, self._expected = retention_seconds, expected
        self._folder = tempfile.TemporaryDirectory(prefix="capmodel-files-")
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="jobs")
        self._states: dict[str, JobState] = {}
        self._lock = threading.Lock()
        repeat(self._sweep, min(60, retention_seconds / 10))

    def start(self, file_name: str, work: Callable[[Path, Progress], None]) -> str:
        """Starts `work(file, progress)`, which writes the file and reports how many parts are done.

        Returns the job's name, which cannot be guessed.
        """
        name, state = secrets.token_urlsafe(16), JobState()
        with self._lock:
            self._states[name] = state

        def progress(done: int) -> None:
            state.done = done

        def run() -> None:
            file = Path(self._folder.name, name, file_name)
            try:
                file.parent.mkdir()
                work(file, progress)
                state.file = file
            except Exception as error:  # told to whoever asks
                if not isinstance(error, self._expected):
                    log.warning("a file could not be made", exc_info=error)
                shutil.rmtree(file.parent)
                state.error = error
            finally:
                state.since = time.monotonic()

        self._pool.submit(run)
        return name

    def state(self, name: str) -> JobState:
        """Raises KeyError for a name that is not, or no longer, known."""
        with self._lock:
            return self._states[name]

    def _sweep(self) -> None:
        oldest = time.monotonic() - self.retention_seconds
        with self._lock:
            old = [name for name, state in self._states.items() if state.since < oldest]
            states = [self._states.pop(name) for name in old]
        for state in states:
            if state.file:
                shutil.rmtree(state.file.parent)
