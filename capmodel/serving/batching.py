"""Batches for one worker: items that wait at the same time are processed together."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from capmodel.serving.errors import ServerClosing

Item = TypeVar("Item")
Result = TypeVar("Result")
Other = TypeVar("Other")


@dataclass
class _Entry:
    item: Any
    future: Future = field(default_factory=Future)
    alone: Callable[[], Any] | None = None  # a call outside of batches


class Batcher(Generic[Item, Result]):
    """A thread that calls `work` on waiting items in batches, first come first served.

    A single item is processed at once; several share a batch. Callers get futures, so none of their threads waits.

    Args:
        work: items -> as many results.
        limit: items a batch, at most.
        patience: seconds that a batch waits for items that are still loading. Loading and computing at the same
            time slows both down by more than this wait.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], limit: int, patience: float = 0.0):
        self._work, self._limit, self._patience = work, limit, patience
        self._lock = threading.Lock()
        self._coming = 0  # items that no batch has taken yet
        self._closed = False
        self._entries: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()  # None: look again
        self._next: _Entry | None = None  # a call that came while a batch was collected
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    def submit(self, item: Item, after: Future | None = None) -> "Future[Result]":
        """The future result of an item that joins a batch when `after` is done.

        It raises the error of `after`, or of `work` for the item's batch, or `ServerClosing` after `close`.
        """
        entry = _Entry(item)
        with self._lock:
            self._coming += 1
        if after is None:
            self._put(entry)
        else:
            after.add_done_callback(lambda loaded: self._put(entry, _error_of(loaded)))
        return entry.future

    def call(self, function: Callable[[], Other]) -> "Future[Other]":
        """The future result of a function that is called in the worker's thread, in turn."""
        entry = _Entry(None, alone=function)
        self._put(entry)
        return entry.future

    def coming(self) -> int:
        """The number of items that are loading or waiting for their batch."""
        with self._lock:
            return self._coming

    def close(self) -> None:
        """Waits for the running batch; everything that still waits fails with `ServerClosing`."""
        with self._lock:
            self._closed = True
        self._entries.put(None)
        self._thread.join()

    def _put(self, entry: _Entry, error: BaseException | None = None) -> None:
        with self._lock:
            if self._closed:
                error = error or ServerClosing()
            elif not error:
                self._entries.put(entry)
                return
            if not entry.alone:
                self._coming -= 1
        entry.future.set_exception(error)
        self._entries.put(None)  # a batch may be waiting for it

    def _run(self) -> None:
        while (batch := self._collect()) is not None:
            try:
                alone = batch[0].alone
                results = [alone()] if alone else self._work([entry.item for entry in batch])
                for entry, result in zip(batch, results, strict=True):
                    entry.future.set_result(result)
            except Exception as error:  # passed on to the callers; the worker continues
                for entry in batch:
                    if not entry.future.done():
                        entry.future.set_exception(error)
        left = [self._next]
        while not self._entries.empty():
            left.append(self._entries.get())
        for entry in filter(None, left):
            entry.future.set_exception(ServerClosing())

    def _collect(self) -> list[_Entry] | None:
        """The next batch, or a single call; None when this is closed."""
        batch: list[_Entry] = []
        until: float | None = None
        while not batch or (len(batch) < self._limit and self.coming()):
            try:
                entry = self._next or self._entries.get(timeout=until and max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            self._next = None
            if self._closed:
                for each in [*batch, *filter(None, [entry])]:
                    each.future.set_exception(ServerClosing())
                return None
            if entry is None:
                continue
            if entry.alone:
                if batch:
                    self._next = entry
                    break
                return [entry]
            with self._lock:
                self._coming -= 1
            batch.append(entry)
            until = until or time.monotonic() + self._patience
        return batch


def _error_of(future: Future) -> BaseException | None:
    return ServerClosing() if future.cancelled() else future.exception()
