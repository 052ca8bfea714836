"""What waits is done together, in order, and errors reach those who asked."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from capmodel.batcher import Batcher


def test_what_waits_is_done_together():
    batches, gate = [], threading.Event()

    def work(items):
        batches.append(list(items))
        gate.wait(5)
        return [item * 10 for item in items]

    batcher = Batcher(work, 3)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(batcher, 0)
        while not batches:  # the worker is busy with it
            pass
        others = []
        for item in range(1, 6):
            others.append(pool.submit(batcher, item))
            while batcher.waiting() < item:
                pass
        gate.set()
        assert first.result(5) == 0
        assert [other.result(5) for other in others] == [10, 20, 30, 40, 50]
    assert batches == [[0], [1, 2, 3], [4, 5]]


def test_an_error_reaches_its_caller_and_the_worker_goes_on():
    batcher = Batcher(lambda items: [1 / item for item in items], 1)
    with pytest.raises(ZeroDivisionError):
        batcher(0)
    assert batcher(4) == 0.25


def test_a_result_too_few_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        Batcher(lambda items: [], 2)(1)
