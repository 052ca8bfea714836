"""What comes together is done together, in order, and errors reach those who asked."""

import threading
import time
from concurrent.futures import Future

import pytest

from capmodel.serving.batching import Batcher
from capmodel.serving.errors import ServerClosing


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


@pytest.fixture
def batch():
    """Makes batchers, which are closed in the end."""
    made = []

    def make(*given, **more) -> Batcher:
        made.append(Batcher(*given, **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_what_waits_is_done_together(batch):
    batches, gate = [], threading.Event()

    def work(items):
        batches.append(list(items))
        gate.wait(5)
        return [item * 10 for item in items]

    batcher = batch(work, 3)
    first = batcher.submit(0)
    wait_until(lambda: batches)  # the worker is busy with it
    others = [batcher.submit(item) for item in range(1, 6)]
    assert batcher.coming() == 5
    gate.set()
    assert first.result(5) == 0
    assert [other.result(5) for other in others] == [10, 20, 30, 40, 50]
    assert batches == [[0], [1, 2, 3], [4, 5]]


@pytest.mark.parametrize(("patience", "expected"), [(30, [[1, 2]]), (0.01, [[1], [2]])])
def test_a_batch_waits_for_what_is_being_loaded_but_not_for_long(batch, patience, expected):
    batches, loaded = [], Future()
    batcher = batch(tens(batches), 3, patience)
    slow = batcher.submit(2, after=loaded)
    quick = batcher.submit(1)
    if len(expected) == 1:
        time.sleep(0.05)
        assert not batches  # the quick one waits
    else:
        assert quick.result(10) == 10
    loaded.set_result(None)
    assert (quick.result(10), slow.result(10)) == (10, 20)
    assert batches == expected


def test_what_cannot_be_loaded_is_an_error_of_its_asker_only(batch):
    batches, loading = [], Future()
    batcher = batch(tens(batches), 3, patience=30)
    torn, whole = batcher.submit(1, after=loading), batcher.submit(4)
    loading.set_exception(OSError("torn"))
    with pytest.raises(OSError, match="torn"):
        torn.result(10)
    assert whole.result(10) == 40  # at once, and not after 30 seconds
    assert batches == [[4]]
    assert batcher.coming() == 0


def test_a_call_has_its_turn_between_batches(batch):
    order, gate = [], threading.Event()
    batcher = batch(lambda items: order.append(list(items)) or (gate.wait(5) and items), 8, patience=30)
    futures = [batcher.submit(0)]
    wait_until(lambda: order)
    futures += [batcher.submit(1), batcher.call(lambda: order.append("call")), batcher.submit(2)]
    gate.set()
    for future in futures:
        future.result(10)
    assert order == [[0], [1], "call", [2]]


def test_items_that_yield_get_half_a_batch_while_others_wait_and_all_of_it_else(batch):
    order, gate = [], threading.Event()
    batcher = batch(lambda items: order.append("".join(items)) or (gate.wait(5) and items), 4)
    futures = [batcher.submit("-")]
    wait_until(lambda: order)
    futures += [batcher.submit(letter, yields=True) for letter in "abcdefghij"]
    futures += [batcher.submit(digit) for digit in "123"]
    gate.set()
    for future in futures:
        future.result(10)
    assert order == ["-", "12ab", "3cde", "fghi", "j"]


@pytest.mark.parametrize("limit", [1, 4])
def test_items_that_yield_have_a_turn_after_each_call(batch, limit):
    order, gate = [], threading.Event()
    batcher = batch(lambda items: order.append("".join(items)) or (gate.wait(5) and items), limit)
    futures = [batcher.submit("-")]
    wait_until(lambda: order)
    futures += [batcher.call(lambda: order.append("call")) for _ in range(3)]
    futures += [batcher.submit(letter, yields=True) for letter in "abcd"]
    gate.set()
    for future in futures:
        future.result(10)
    assert order == [
        "-",
        "call",
        *(["ab", "call", "cd", "call"] if limit == 4 else ["a", "call", "b", "call", "c", "d"]),
    ]


def test_an_error_reaches_its_asker_and_the_worker_goes_on(batch):
    batcher = batch(lambda items: [1 / item for item in items], 1)
    with pytest.raises(ZeroDivisionError):
        batcher.submit(0).result(10)
    with pytest.raises(ZeroDivisionError):
        batcher.call(lambda: 1 / 0).result(10)
    assert batcher.submit(4).result(10) == 0.25


def test_a_result_too_few_is_an_error(batch):
    with pytest.raises(ValueError, match="zip"):
        batch(lambda items: [], 2).submit(1).result(10)


@pytest.mark.parametrize("patience", [0.0, 30.0])
def test_closing_fails_what_waits_and_ends_the_thread(patience):
    started, gate, loading = threading.Event(), threading.Event(), Future()
    batcher = Batcher(lambda items: started.set() or (gate.wait(5) and items), 1, patience)
    first = batcher.submit(1)
    assert started.wait(5)
    waiting = [batcher.submit(2), batcher.submit(3, after=loading), batcher.call(lambda: 4)]
    closing = threading.Thread(target=batcher.close)
    closing.start()
    wait_until(lambda: batcher._closed)
    gate.set()
    closing.join(5)
    assert not closing.is_alive()
    assert first.result(0) == 1
    loading.set_result(None)
    for future in (*waiting, batcher.submit(5), batcher.call(lambda: 6)):
        with pytest.raises(ServerClosing):
            future.result(1)
