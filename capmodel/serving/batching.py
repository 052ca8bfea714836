"""Batches for one worker: items that wait at the same time are processed together."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import takewhile
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
    yields: bool = False


class Batcher(Generic[Item, Result]):
    """A thread that calls `work` on waiting items in batches, first come first served.

    A single item is processed at once; several share a batch. Callers get futures, so none of their threads waits.

    Items that yield have a queue of their own. While others wait, they get at most half of a batch, and a turn after
    each call. So nobody waits for more than the running batch and half of the next ones, however many such items come.

    Args:
        work: items -> as many results.
        limit: items a batch, at most.
        patience: seconds that a batch waits for items that are still loading. Loading and computing at the same
            time slows both down by more than this wait.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], limit: int, patience: float = 0.0):
        self._work, self._limit, self._patience = work, limit, patience
        self._changed = threading.Condition()
        self._coming = 0  # items that no batch has taken yet
        self._closed = False
        self._waiting: deque[_Entry] = deque()
        self._yielding: deque[_Entry] = deque()
        self._had_call = False  # the last turn was a call
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    def submit(self, item: Item, after: Future | None = None, *, yields: bool = False) -> "Future[Result]":
        """The future result of an item that joins a batch when `after` is done.

        It raises the error of `after`, or of `work` for the item's batch, or `ServerClosing` after `close`.
        """
        entry = _Entry(item, yields=yields)
        with self._changed:
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
        with self._changed:
            return self._coming

    def close(self) -> None:
        """Waits for the running batch; everything that still waits fails with `ServerClosing`."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _put(self, entry: _Entry, error: BaseException | None = None) -> None:
        with self._changed:
            self._changed.notify()  # also about an error: a batch may be waiting for this item
            if self._closed:
                error = error or ServerClosing()
            elif not error:
                (self._yielding if entry.yields else self._waiting).append(entry)
                return
            if not entry.alone:
                self._coming -= 1
        entry.future.set_exception(error)

    def _run(self) -> None:
        while batch := self._collect():
            try:
                alone = batch[0].alone
                results = [alone()] if alone else self._work([entry.item for entry in batch])
                for entry, result in zip(batch, results, strict=True):
                    entry.future.set_result(result)
            except Exception as error:  # passed on to the callers; the worker continues
                for entry in batch:
                    if not entry.future.done():
                        entry.future.set_exception(error)
        for entry in [*self._waiting, *self._yielding]:
            entry.future.set_exception(ServerClosing())

    def _collect(self) -> list[_Entry]:
        """The next batch, or a single call; nothing when this is closed."""
        until: float | None = None
        with self._changed:
            while not self._closed:
                if not self._waiting and not self._yielding:
                    self._changed.wait()
                    continue
                until = until or time.monotonic() + self._patience
                left = until - time.monotonic()
                if left <= 0 or self._is_complete():
                    return self._take()
                self._changed.wait(left)
        return []

    def _is_complete(self) -> bool:
        """Whether a batch has nothing to wait for: it is full, or a call comes next, or nothing is loading."""
        calls = sum(entry.alone is not None for entry in self._waiting)
        items = len(self._waiting) - calls + len(self._yielding)
        return calls > 0 or items >= min(self._limit, self._coming)

    def _take(self) -> list[_Entry]:
        half = self._limit // 2
        calls = bool(self._waiting and self._waiting[0].alone)
        self._had_call = calls and not (self._yielding and self._had_call)
        if self._had_call:
            return [self._waiting.popleft()]
        ready = sum(1 for _ in takewhile(lambda entry: not entry.alone, self._waiting))
        count = min(ready, max(self._limit - half, self._limit - len(self._yielding)))
        yielding = min(len(self._yielding), max(1, half) if self._waiting and not ready else self._limit - count)
        self._coming -= count + yielding
        first = [self._waiting.popleft() for _ in range(count)]
        return first + [self._yielding.popleft() for _ in range(yielding)]


def _error_of(future: Future) -> BaseException | None:
    return ServerClosing() if future.cancelled() else future.exception()
