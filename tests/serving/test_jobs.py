"""Files made in the background: what goes wrong is told, and nothing of it stays."""

import time
from pathlib import Path

import pytest

from capmodel.serving.jobs import Jobs, JobState


def finished(jobs: Jobs, name: str) -> JobState:
    until = time.monotonic() + 10
    while not ((state := jobs.state(name)).file or state.error):
        assert time.monotonic() < until
        time.sleep(0.01)
    return state


def test_a_file_is_made_and_deleted_in_time():
    jobs = Jobs(retention_seconds=1)

    def work(file: Path, progress):
        file.write_text("all of it")
        progress(3)

    name = jobs.start("a.txt", work)
    state = finished(jobs, name)
    assert (state.file.name, state.file.read_text(), state.done) == ("a.txt", "all of it", 3)
    until = time.monotonic() + 10
    while state.file.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    with pytest.raises(KeyError):
        jobs.state(name)


def test_a_file_that_takes_long_is_kept_as_long_as_others():
    jobs = Jobs(retention_seconds=1)

    def work(file: Path, progress):
        time.sleep(2)
        file.write_text("at last")

    state = finished(jobs, jobs.start("a.txt", work))
    time.sleep(0.5)
    assert state.file.read_text() == "at last"


def test_a_file_that_fails_leaves_nothing(caplog):
    jobs, started = Jobs(retention_seconds=60), []

    def work(file: Path, progress):
        file.write_text("half of it")
        started.append(file)
        raise OSError("the disk is full")

    state = finished(jobs, jobs.start("a.txt", work))
    assert str(state.error) == "the disk is full"
    assert not started[0].parent.exists()
    assert "a file could not be made" in caplog.text


def test_what_is_expected_to_happen_is_told_but_not_logged(caplog):
    jobs = Jobs(retention_seconds=60, expected=(LookupError,))

    def work(file: Path, progress):
        raise KeyError("the photo has left")

    assert isinstance(finished(jobs, jobs.start("a.txt", work)).error, KeyError)
    assert caplog.records == []
