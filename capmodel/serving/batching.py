"""Many callers, one worker: what comes at the same time is done together."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Calls `work` on the items that come together, first come first served.

    Alone, an item is done at once; when many come they share a batch. Nobody waits for more than
    the batches of those who came before, and `patience` a batch.

    Args:
        work: items -> as many results; runs in one thread of its own.
        limit: items a batch, at most.
        patience: seconds that a batch waits for items that are being loaded. While some are loaded and
            others worked on, both are slowed down by more than the waiting takes.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], limit: int, patience: float = 0.0):
        self._work, self._limit, self._patience = work, limit, patience
        self._lock = threading.Lock()
        self._coming = 0  # callers whose entry is not yet taken
        self._entries: queue.SimpleQueue[tuple[Item, Future] | None] = queue.SimpleQueue()  # None: could not be loaded
        threading.Thread(target=self._run, name="batcher", daemon=True).start()

    def __call__(self, load: Callable[[], Item]) -> Result:
        """The result of the item that `load` returns, which is called in the caller's thread.

        Whatever `load`, or `work` for the item's batch, raises is raised here.
        """
        with self._lock:
            self._coming += 1
        entry, future = None, Future()
        try:
            entry = load(), future
        finally:
            self._entries.put(entry)
        return future.result()

    def coming(self) -> int:
        """How many items are being loaded, or wait for their batch."""
        with self._lock:
            return self._coming

    def _run(self) -> None:
        while True:
            batch = self._collect()
            try:
                results = self._work([item for item, _ in batch])
                for (_, future), result in zip(batch, results, strict=True):
                    future.set_result(result)
            except Exception as error:  # the callers must hear of it, and the worker goes on
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)

    def _collect(self) -> list[tuple[Item, Future]]:
        batch, until = [], None
        while not batch or (len(batch) < self._limit and self.coming()):
            try:
                entry = self._entries.get(timeout=until and max(0, until - time.monotonic()))
            except queue.Empty:
                break
            with self._lock:
                self._coming -= 1
            if entry:
                batch.append(entry)
                until = until or time.monotonic() + self._patience
        return batch
