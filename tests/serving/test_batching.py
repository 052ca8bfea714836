"""What comes together is done together, in order, and errors reach those who asked."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from capmodel.serving.batching import Batcher


def wait_until(condition):
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


def tens(batches):
    """Work that notes its batches."""

    def work(items):
        batches.append(list(items))
        return [item * 10 for item in items]

    return work


def test_what_waits_is_done_together():
    batches, gate = [], threading.Event()

    def work(items):
        batches.append(list(items))
        gate.wait(5)
        return [item * 10 for item in items]

    batcher = Batcher(work, 3)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(batcher, lambda: 0)
        wait_until(lambda: batches)  # the worker is busy with it
        others = []
        for item in range(1, 6):
            others.append(pool.submit(batcher, lambda item=item: item))
            wait_until(lambda item=item: batcher.coming() == item)
        gate.set()
        assert first.result(5) == 0
        assert [other.result(5) for other in others] == [10, 20, 30, 40, 50]
    assert batches == [[0], [1, 2, 3], [4, 5]]


@pytest.mark.parametrize(("patience", "expected"), [(30, [[1, 2]]), (0.01, [[1], [2]])])
def test_a_batch_waits_for_what_is_being_loaded_but_not_for_long(patience, expected):
    batches, gate, loaded = [], threading.Event(), threading.Event()
    batcher = Batcher(tens(batches), 3, patience)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(batcher, lambda: gate.wait(30) and 2)
        wait_until(lambda: batcher.coming() == 1)
        quick = pool.submit(batcher, lambda: loaded.set() or 1)
        assert loaded.wait(10)
        if len(expected) == 1:
            wait_until(lambda: batcher.coming() == 1)  # the quick one is in a batch, which waits
            assert not batches
        else:
            assert quick.result(10) == 10
        gate.set()
        assert (quick.result(10), slow.result(10)) == (10, 20)
    assert batches == expected


def test_what_cannot_be_loaded_is_an_error_of_its_caller_only():
    batches = []
    batcher = Batcher(tens(batches), 3, patience=30)
    with pytest.raises(OSError, match="torn"):
        batcher(lambda: (_ for _ in ()).throw(OSError("torn")))
    assert batcher(lambda: 4) == 40
    assert batches == [[4]]
    assert batcher.coming() == 0


def test_an_error_reaches_its_caller_and_the_worker_goes_on():
    batcher = Batcher(lambda items: [1 / item for item in items], 1)
    with pytest.raises(ZeroDivisionError):
        batcher(lambda: 0)
    assert batcher(lambda: 4) == 0.25


def test_a_result_too_few_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        Batcher(lambda items: [], 2)(lambda: 1)
