"""Files that take longer to make than a request should last: made in the background, deleted in time."""

import logging
import math
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from capmodel.serving.errors import Refused, ServerClosing
from capmodel.serving.limits import Limits
from capmodel.serving.periodic import Periodic
from capmodel.serving.storage.folders import ServerFolder

log = logging.getLogger(__name__)

STATES = 1000  # of finished jobs that are remembered

Progress = Callable[[int], None]


@dataclass
class JobState:
    """The parts that are `done`; at the end the `file` or the `error`, and `since` when the job is over."""

    done: int = 0
    file: Path | None = None
    error: Exception | None = None
    since: float = math.inf  # time.monotonic()
    size: int = 0  # bytes of the file


class Jobs:
    """Makes files one after the other in the background.

    Args:
        folder: of this server; files are made in a subfolder.
        limits: on the number, size and age of files.
        expected: errors that are reported in the state, but not logged.
    """

    def __init__(
        self, folder: ServerFolder, limits: Limits = Limits(), expected: tuple[type[Exception], ...] = ()
    ) -> None:
        self._limits, self._expected = limits, (*expected, Refused)
        self._folder, self._name = folder, f"files-{secrets.token_hex(4)}"
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="jobs")
        self._states: dict[str, JobState] = {}  # the oldest first
        self._lock = threading.Lock()
        self._closed = False
        self._sweeper = Periodic(self.sweep, limits.sweep_seconds)

    def start(self, file_name: str, work: Callable[[Path, Progress], None]) -> str:
        """Starts `work(file, progress)`, which writes the file and reports how many parts are done.

        `progress` raises `Refused` when the work must end, because it takes too long or the server is closing.

        Returns the job's name, which cannot be guessed.

        Raises:
            Refused: too many jobs are waiting.
        """
        name, state = secrets.token_urlsafe(16), JobState()
        with self._lock:
            if self._closed:
                raise ServerClosing
            if sum(each.since == math.inf for each in self._states.values()) >= self._limits.jobs:
                raise Refused("The server is making many files already; please try again in a minute.")
            self._states[name] = state
            self._pool.submit(self._run, name, state, file_name, work)
        return name

    def state(self, name: str) -> JobState:
        """Raises KeyError for a name that is not, or no longer, known."""
        with self._lock:
            return self._states[name]

    def sweep(self) -> None:
        """Deletes files that are too old or for which there is no room, and forgets their jobs."""
        oldest = time.monotonic() - self._limits.retention_seconds
        with self._lock:
            over = [(name, state) for name, state in self._states.items() if state.since < math.inf]
            room = self._limits.file_bytes
            for number, (name, state) in enumerate(reversed(over)):
                room -= state.size
                # The latest stays, however large: a visitor is about to fetch it.
                if state.since < oldest or (number and room < 0) or number >= STATES:
                    if state.file and not self._delete(state.file.parent):
                        continue  # the next sweep tries again
                    del self._states[name]

    def close(self) -> None:
        """Stops the work and deletes the files."""
        with self._lock:
            self._closed = True
        self._sweeper.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._folder.remove(self._name)

    def _run(self, name: str, state: JobState, file_name: str, work: Callable[[Path, Progress], None]) -> None:
        until = time.monotonic() + self._limits.job_seconds

        def progress(done: int) -> None:
            state.done = done
            if self._closed:
                raise ServerClosing
            if time.monotonic() > until:
                raise Refused("Making this file took too long; please choose fewer photos.")

        folder = None
        try:
            folder = self._folder.make(self._name) / name
            folder.mkdir(mode=0o700)
            work(folder / file_name, progress)
            state.size = (folder / file_name).stat().st_size
            state.file = folder / file_name
        except Exception as error:
            if not isinstance(error, self._expected) and not self._closed:
                log.warning("a file could not be made", exc_info=error)
            if folder:
                self._delete(folder)
            state.error = error  # last: a state with an error has left nothing behind
        finally:
            state.since = time.monotonic()
        self.sweep()

    def _delete(self, folder: Path) -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            log.warning("a file could not be deleted yet")
            return False
        return True
