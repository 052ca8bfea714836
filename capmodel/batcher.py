"""Many callers, one worker: what waits is done together."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Calls `work` on whatever has come in while it last worked, first come first served.

    Alone, an item is done at once; when many come they share a batch. Nobody waits for more than
    the batches of those who came before.

    Args:
        work: items -> as many results; runs in one thread of its own.
        limit: items a batch, at most.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], limit: int):
        self._work, self._limit = work, limit
        self._waiting: queue.SimpleQueue[tuple[Item, Future]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="batcher", daemon=True).start()

    def __call__(self, item: Item) -> Result:
        """The result of an item; whatever `work` raises for its batch is raised here."""
        future: Future[Result] = Future()
        self._waiting.put((item, future))
        return future.result()

    def waiting(self) -> int:
        """How many items wait for their batch."""
        return self._waiting.qsize()

    def _run(self) -> None:
        while True:
            batch = [self._waiting.get()]
            while len(batch) < self._limit and not self._waiting.empty():
                batch.append(self._waiting.get())
            try:
                results = self._work([item for item, _ in batch])
                for (_, future), result in zip(batch, results, strict=True):
                    future.set_result(result)
            except Exception as error:  # the callers must hear of it, and the worker goes on
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
