"""A private folder for everything that a server writes.

A server that is killed cannot delete its files. So every server locks its folder while it runs, and at its start deletes
the folders of the same user that nobody has locked. The lock is on the folder itself (flock): it ends with
the process, however that ends, and systemd-tmpfiles leaves locked folders alone.
"""

import atexit
import contextlib
import getpass
import logging
import os
import secrets
import shutil
import tempfile
import threading
import time
from functools import cache
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: the folders of killed servers stay
    fcntl = None

log = logging.getLogger(__name__)

ATTEMPTS = 20  # at locking a new folder


class ServerFolder:
    """A folder ``capmodel-<user>-<random>`` that only this user may enter.

    Args:
        parent: where it lies; the system's temporary folder by default.

    Attributes:
        path: of the folder; `claim` or `make` creates it.
    """

    def __init__(self, parent: str | os.PathLike | None = None):
        self._prefix = f"capmodel-{_user()}-"
        self.path = Path(parent or tempfile.gettempdir()).absolute() / (self._prefix + secrets.token_hex(8))
        self._lock: int | None = None  # the open folder
        self._owner = 0  # the process that claimed it; a fork must not delete it
        self._guard = threading.RLock()

    def claim(self) -> None:
        """Creates and locks the folder, and deletes those that killed servers left beside it.

        May be called again: a folder that was deleted while the server runs is created anew.
        """
        with self._guard:
            if self._is_locked():
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for _ in range(ATTEMPTS):
                self.path.mkdir(mode=0o700, exist_ok=True)
                self._unlock()
                with contextlib.suppress(FileNotFoundError):
                    self.path.chmod(0o700)  # others may have made it again
                    self._lock = _try_lock(self.path)
                if self._is_locked() or fcntl is None:
                    break
                time.sleep(0.05)  # a server that is just starting took it for an abandoned one
            if not self._owner:
                self._owner = os.getpid()
                atexit.register(self.close)
                self._sweep()

    def make(self, name: str) -> Path:
        """The subfolder `name`, created if needed."""
        self.claim()
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def remove(self, name: str) -> None:
        """Deletes the subfolder `name`."""
        _delete(self.path / name)

    def close(self) -> None:
        """Deletes the folder with everything in it. May be called again, for files written meanwhile."""
        with self._guard:
            if self._owner == os.getpid():
                _delete(self.path)
                self._unlock()

    def _is_locked(self) -> bool:
        if self._lock is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._lock), self.path.stat())
        except OSError:
            return False

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _sweep(self) -> None:
        for other in self.path.parent.glob(self._prefix + "*"):
            with contextlib.suppress(OSError):  # another server deletes it too
                if other == self.path or other.is_symlink() or other.stat().st_uid != self.path.stat().st_uid:
                    continue
                lock = _try_lock(other)
                if lock is not None:
                    _delete(other)
                    os.close(lock)


@cache
def server_folder() -> ServerFolder:
    """This process's folder. It lies in ``GRADIO_TEMP_DIR`` if that is set at the first call."""
    return ServerFolder(os.environ.get("GRADIO_TEMP_DIR"))


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()


def _try_lock(folder: Path) -> int | None:
    """The open folder, locked; None if another process has locked it."""
    if fcntl is None:
        return None
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        return None
    return opened


def _delete(folder: Path) -> None:
    for _ in range(3):  # a request that is still being served may write meanwhile
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
    log.warning("%s could not be deleted", folder)
