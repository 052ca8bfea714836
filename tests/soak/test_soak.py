"""The long soak: what it says of memory and of a folder, and a short one."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.soak.report import (
    Sample,
    Schedule,
    Tally,
    as_text,
    memory_of,
    problems_of,
    size_of,
    slope_per_hour,
    summarize,
    swelling,
)

SCHEDULE = Schedule(every=300, rest=50)


def samples(memory, temporary=lambda seconds: 5e6, seconds=3600) -> list[Sample]:
    return [Sample(moment, int(memory(moment)), int(temporary(moment))) for moment in range(0, seconds, 3)]


def judged(*arguments, tally=None, log="", before=0, after=0, **more) -> dict:
    return summarize(samples(*arguments, **more), SCHEDULE, tally or Tally(), log, before, after)


def test_slope():
    assert slope_per_hour([0, 1800, 3600], [5, 15, 25]) == pytest.approx(20)
    random = np.random.default_rng(0)
    seconds = np.arange(0, 3600, 5.0)
    values = 900 + 12 * seconds / 3600 + random.normal(0, 5, len(seconds))
    assert slope_per_hour(seconds, values) == pytest.approx(12, abs=2)
    assert slope_per_hour([0, 10, 20], [7, 7, 7]) == pytest.approx(0, abs=1e-9)
    for few in ([], [3], [3, 3]):
        with pytest.raises(ValueError, match="two moments"):
            slope_per_hour(few, few)


def test_swelling():
    assert swelling([0, 1, 2, 4, 3, 3]) == pytest.approx(1)
    assert swelling([9, 9, 1, 1, 2, 2]) == pytest.approx(2)


def test_rests():
    assert [SCHEDULE.left_of_rest(moment) for moment in (0, 249, 250, 299, 300, 560)] == [0, 0, 50, 1, 0, 40]
    assert [SCHEDULE.until_rest(moment) for moment in (0, 249, 250, 299, 300, 560)] == [250, 1, 0, 0, 250, 0]
    read = SCHEDULE.at_rest(samples(lambda seconds: 1e9 if SCHEDULE.left_of_rest(seconds) else 2e9))
    assert [sample.memory for sample in read] == [10**9] * 12
    assert all(8 >= 300 - sample.seconds % 300 > 0 for sample in read)


def test_memory_that_climbs_is_found_under_what_comes_and_goes():
    """A leak of 30 MB/h, while 300 MB come and go; and the warm-up, in which 500 MB come and stay."""
    random = np.random.default_rng(0)

    def memory(leak):
        def held(seconds):
            busy = 0 if SCHEDULE.left_of_rest(seconds) else random.uniform(0, 300e6)
            return 700e6 + 500e6 * min(1, seconds / 1100) + leak * seconds / 3600 + busy

        return held

    assert judged(memory(0))["broken"] == []
    found = judged(memory(30e6))
    assert found["memory_slope"] == pytest.approx(30, abs=2)
    assert found["broken"] == ["memory climbs by more than 20 MB/h"]
    assert "BROKEN: memory climbs" in as_text(found)


def test_a_short_run_does_not_tell_of_memory():
    found = judged(lambda seconds: 1e9 + 1e6 * seconds, seconds=1200)
    assert (found["memory_slope"], found["broken"]) == (None, [])
    assert "too few rests to tell" in as_text(found)


def test_a_folder_that_grows_or_is_not_emptied_is_found():
    def fill(seconds):  # as long as photos are kept, it may
        return 4e6 + 6e6 * min(1, seconds / 300)

    assert judged(lambda _: 1e9, fill)["broken"] == []
    assert judged(lambda _: 1e9, lambda seconds: 4e6 + 10e3 * seconds)["broken"] == [
        "the temporary folder swells by more than 25%"
    ]
    assert judged(lambda _: 1e9, before=5, after=6)["broken"] == ["something stays in the temporary folder"]


def test_what_went_wrong_breaks_the_limits():
    tally = Tally()
    tally.failed["play"] += 1
    tally.page_errors.append("x is undefined")
    found = judged(
        lambda _: 1e9, tally=tally + Tally(), log="Traceback (most recent call last):\n  File x\nKeyError: 3\n"
    )
    assert found["broken"] == ["exceptions in the server's log", "errors in the page", "actions failed"]
    assert found["exceptions"] == {"KeyError: 3": 1}


def test_exceptions_in_a_log():
    quiet = "* Running on local URL:  http://127.0.0.1:1\n\na photo with an odd name: error.jpg\n"
    assert problems_of(quiet) == []
    chained = (
        "a file could not be made\nTraceback (most recent call last):\n  File 'a.py', line 1\nKeyError: 1\n\n"
        "During handling of the above exception, another exception occurred:\n\n"
        "Traceback (most recent call last):\n  File 'b.py', line 2\nalbum.PhotoGone: it left\n"
    )
    assert problems_of(quiet + chained) == ["KeyError: 1", "album.PhotoGone: it left"]
    assert problems_of("ERROR:    Exception in ASGI application\n") == ["ERROR:    Exception in ASGI application"]
    assert problems_of("Traceback (most recent call last):\n  File") == ["a traceback without an end"]


def test_memory_counts_children():
    hold = "import sys; kept = bytes(range(256)) * 400_000; print('ready', flush=True); sys.stdin.read()"
    before = memory_of(os.getpid())
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert memory_of(child.pid) > 100e6
        assert memory_of(os.getpid()) > before + 100e6
        child.stdin.close()


def test_size_of_a_folder(tmp_path: Path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x").write_bytes(bytes(300))
    (tmp_path / "y").write_bytes(bytes(7))
    assert size_of(tmp_path) == 307


def test_the_time_that_photos_are_kept_has_limits():
    from capmodel.serving.options import minutes

    assert minutes("0.2") == 0.2
    for wrong in ("0", "-1", "nan", "1e9"):
        with pytest.raises(argparse.ArgumentTypeError, match=f"not {wrong} minutes"):
            minutes(wrong)


def test_a_short_soak(browser, tmp_path):  # the fixture: only where there is a browser
    command = [sys.executable, "-m", "tests.soak", "--minutes", "0.25", "--browsers", "1", "--retention-minutes", "0.2"]
    done = subprocess.run(
        [*command, "--seed", "28", "--json", "--out", str(tmp_path / "soak")],
        capture_output=True,
        text=True,
        timeout=300,
    )
    found = json.loads(done.stdout)
    told = {name: found[name] for name in ("exceptions", "page_errors", "failures")}
    assert told == {"exceptions": {}, "page_errors": [], "failures": []}, done.stderr
    assert found["done"]["come_as_new_visitor"] >= 1
    assert found["done"]["try_example"] >= 1  # the first thing that a visitor with this seed does
    assert found["temporary_after"] == found["temporary_before"] > 1  # the examples' thumbnails
    assert done.returncode == (1 if found["broken"] else 0)
    assert (tmp_path / "soak" / "samples.csv").read_text().count("\n") >= 6


@pytest.mark.slow
def test_an_hour_of_soak(browser, tmp_path):
    """Every limit, also that of memory, which a short one does not tell of."""
    command = [sys.executable, "-m", "tests.soak", "--minutes", "60", "--json", "--out", str(tmp_path / "soak")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=5400)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["broken"] == []
    assert found["memory_slope"] is not None
