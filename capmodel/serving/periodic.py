"""Does something again and again in the background."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


def repeat(work: Callable[[], None], seconds: float) -> None:
    """Calls `work` every so many seconds, in a thread of its own, until the program ends.

    An error is logged and does not end it: what must be deleted is still deleted the next time.
    """

    def run() -> None:
        while not pause.wait(seconds):
            try:
                work()
            except Exception:
                log.exception("%s failed", work.__qualname__)

    pause = threading.Event()
    threading.Thread(target=run, name=work.__qualname__, daemon=True).start()
