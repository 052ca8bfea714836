"""A server's private folder: nobody else's business, and swept after a server that was killed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.samples import ROOT

from capmodel.serving.storage.folders import ServerFolder

OTHER = """
import sys, time
from capmodel.serving.storage.folders import ServerFolder
folder = ServerFolder(sys.argv[1])
folder.make("photos").joinpath("photo").write_text("private")
print(folder.path, flush=True)
time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """A server in another process: (the process, its folder)."""
    command = [sys.executable, "-c", OTHER, tmp_path]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    yield process, Path(process.stdout.readline().strip())
    process.kill()
    process.wait()
    process.stdout.close()


def test_only_its_owner_may_enter(server):
    photos = server.make("photos")
    assert photos.parent == server.path
    assert [path.stat().st_mode & 0o777 for path in (server.path, photos)] == [0o700, 0o700]
    assert str(os.getuid()) in server.path.name  # another user's server has another name


def test_what_a_killed_server_left_is_deleted_at_the_next_start(other, server):
    process, folder = other
    assert (folder / "photos/photo").exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / "photos/photo").exists()
    server.claim()
    assert not folder.exists()
    assert server.path.exists()


def test_a_neighbour_that_runs_is_left_alone(other, server):
    _, folder = other
    server.claim()
    assert (folder / "photos/photo").exists()
    shutil.rmtree(folder)  # so that the fixture finds nothing


def test_what_is_not_ours_is_left_alone(tmp_path, server):
    (tmp_path / "precious").mkdir()
    alias = tmp_path / f"capmodel-{os.getuid()}-alias"
    alias.symlink_to(tmp_path / "precious")
    theirs = tmp_path / "capmodel-12345-abc"
    theirs.mkdir()
    server.claim()
    assert alias.is_symlink()
    assert theirs.exists()
    alias.unlink()
    theirs.rmdir()
    (tmp_path / "precious").rmdir()


def test_it_is_made_and_locked_again_if_others_delete_it(tmp_path, server):
    server.make("photos")
    shutil.rmtree(server.path)
    server.make("photos")
    neighbour = ServerFolder(tmp_path)
    neighbour.claim()
    assert server.path.exists()  # so it is locked
    neighbour.close()
    shutil.rmtree(server.path)
    server.path.mkdir(mode=0o755)  # somebody who does not know that it is private
    server.claim()
    assert server.path.stat().st_mode & 0o777 == 0o700


def test_a_fork_deletes_nothing(server):
    server.make("photos")
    child = os.fork()
    if not child:
        server.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert server.path.exists()


def test_many_start_at_once(tmp_path):
    code = OTHER.replace("time.sleep(60)", "time.sleep(1); assert folder.path.exists(); folder.close()")
    command = [sys.executable, "-c", code, tmp_path]
    servers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [server.wait(60) for server in servers] == [0] * 4
    deadline = time.monotonic() + 5
    while list(tmp_path.iterdir()):
        assert time.monotonic() < deadline
