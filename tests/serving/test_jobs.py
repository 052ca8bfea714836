"""Files made in the background: what goes wrong is told, and nothing of it stays."""

import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from capmodel.serving import jobs as module
from capmodel.serving.errors import Refused, ServerClosing
from capmodel.serving.jobs import Jobs, JobState
from capmodel.serving.limits import Limits


@pytest.fixture
def make_jobs(server):
    """Makes jobs with limits, which are closed in the end."""
    made = []

    def make(*expected, **limits) -> Jobs:
        made.append(Jobs(server, Limits(**limits), expected))
        return made[-1]

    yield make
    for jobs in made:
        jobs.close()


def finished(jobs: Jobs, name: str) -> JobState:
    until = time.monotonic() + 10
    while not ((state := jobs.state(name)).file or state.error):
        assert time.monotonic() < until
        time.sleep(0.01)
    return state


def test_a_file_is_made_and_deleted_in_time(make_jobs):
    jobs = make_jobs(retention_seconds=1)

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


def test_a_file_that_takes_long_is_kept_as_long_as_others(make_jobs):
    jobs = make_jobs(retention_seconds=1)

    def work(file: Path, progress):
        time.sleep(2)
        file.write_text("at last")

    state = finished(jobs, jobs.start("a.txt", work))
    time.sleep(0.5)
    assert state.file.read_text() == "at last"


def test_a_file_that_fails_leaves_nothing(make_jobs, caplog):
    jobs, started = make_jobs(), []

    def work(file: Path, progress):
        file.write_text("half of it")
        started.append(file)
        raise OSError("the disk is full")

    state = finished(jobs, jobs.start("a.txt", work))
    assert str(state.error) == "the disk is full"
    assert not started[0].parent.exists()
    assert "a file could not be made" in caplog.text


def test_what_is_expected_to_happen_is_told_but_not_logged(make_jobs, caplog):
    jobs = make_jobs(LookupError)

    def work(file: Path, progress):
        raise KeyError("the photo has left")

    assert isinstance(finished(jobs, jobs.start("a.txt", work)).error, KeyError)
    assert caplog.records == []


def test_a_job_that_cannot_have_a_folder_fails(make_jobs, server, monkeypatch, caplog):
    jobs = make_jobs()
    with monkeypatch.context() as patch:
        patch.setattr(server, "make", lambda name: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        state = finished(jobs, jobs.start("a.txt", lambda file, progress: None))
    assert isinstance(state.error, OSError)
    server.claim()
    shutil.rmtree(server.path)  # as others may, while the server runs
    assert finished(jobs, jobs.start("a.txt", lambda file, progress: file.write_text("x"))).file.read_text() == "x"


def test_one_file_that_cannot_be_deleted_keeps_no_other(make_jobs, monkeypatch):
    jobs = make_jobs()
    names = [jobs.start("a.txt", lambda file, progress: file.write_text("x")) for _ in range(3)]
    files = [finished(jobs, name).file for name in names]
    real, stuck = shutil.rmtree, files[0].parent
    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "rmtree", lambda path, **more: path == stuck or real(path, **more))
        jobs._limits = replace(jobs._limits, retention_seconds=0)
        until = time.monotonic() + 10
        while any(file.exists() for file in files[1:]):  # a file is there a moment before its job is over
            assert time.monotonic() < until
            jobs.sweep()
        assert files[0].exists()
    jobs.sweep()  # tries again
    assert not files[0].exists()


def test_only_so_many_wait(make_jobs):
    jobs, gate = make_jobs(jobs=3), threading.Event()
    names = [jobs.start("a.txt", lambda file, progress: gate.wait(5) and file.write_text("x")) for _ in range(3)]
    with pytest.raises(Refused, match="many files"):
        jobs.start("a.txt", lambda file, progress: None)
    gate.set()
    assert all(finished(jobs, name).file for name in names)
    assert finished(jobs, jobs.start("a.txt", lambda file, progress: file.write_text("x"))).file


def test_files_take_only_so_much_room(make_jobs):
    jobs = make_jobs(file_bytes=250)
    names = [jobs.start("a.txt", lambda file, progress: file.write_bytes(bytes(100))) for _ in range(4)]
    files = [finished(jobs, name).file for name in names[2:]]
    large = finished(jobs, jobs.start("a.txt", lambda file, progress: file.write_bytes(bytes(1000)))).file
    until = time.monotonic() + 5
    while any(file.exists() for file in files):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert large.exists()  # somebody waits for it
    with pytest.raises(KeyError):
        jobs.state(names[0])


def test_a_job_that_takes_too_long_ends(make_jobs):
    jobs = make_jobs(job_seconds=0.1)

    def work(file: Path, progress):
        for done in range(100):
            time.sleep(0.02)
            progress(done)

    state = finished(jobs, jobs.start("a.txt", work))
    assert isinstance(state.error, Refused)
    assert state.done < 50


def test_closing_ends_the_work_and_leaves_nothing(server):
    jobs, started = Jobs(server), threading.Event()

    def work(file: Path, progress):
        file.write_text("half of it")
        started.set()
        for done in range(1000):
            time.sleep(0.01)
            progress(done)

    name = jobs.start("a.txt", work)
    assert started.wait(5)
    jobs.close()
    assert isinstance(finished(jobs, name).error, ServerClosing)
    assert list(server.path.iterdir()) == []
    with pytest.raises(ServerClosing):
        jobs.start("a.txt", work)
