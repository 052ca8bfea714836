"""Terminals, pipes and Ctrl-C: what `capmodel.command_line` does for every script, as a user meets it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from support.samples import PHOTOS, ROOT

from capmodel.command_line import command, printable

CAPMODEL = [sys.executable, "-m", "capmodel"]
# A captioner that is there at once and knows one caption, to test the command line alone.
STAND_IN = """
import sys, time
import capmodel.__main__ as line
from capmodel.caption import Caption

class Captioner:
    def stream(self, photos, options, **more):
        for photo in photos:
            yield Caption("a dog", [], 0.0) if photo.stat().st_size else line.PhotoError("This file is empty.")
            time.sleep(0.001)

line.load_captioner = lambda *source, **precision: Captioner()
sys.exit(line.main(sys.argv[1:]))
"""
QUICK = [sys.executable, "-c", STAND_IN]


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


pytestmark = pytest.mark.usefixtures("environment")


def start(command, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [*map(str, command)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


@pytest.fixture
def names(tmp_path):
    """Photos under names that make trouble, in the order in which they are captioned, and how they are printed."""
    made = {
        b"a\nb.jpg": r"a\nb.jpg",
        b"b\x1b[31mred.jpg": r"b\x1b[31mred.jpg",
        b"caf\xc3\xa9.jpg": "café.jpg",
        b"d\xff.jpg": r"d\xff.jpg",
        "犬.jpg".encode(): "犬.jpg",
    }
    for name in made:
        shutil.copy(PHOTOS / "soccer-players.jpg", tmp_path / os.fsdecode(name))
    return tmp_path, list(made.values())


@pytest.mark.parametrize(
    ("settings", "encoding"),
    [
        ({"LC_ALL": "C"}, "utf-8"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "ascii"),
        ({"PYTHONIOENCODING": "ascii"}, "ascii"),
        ({"PYTHONIOENCODING": "cp1252"}, "cp1252"),
        ({"PYTHONIOENCODING": "utf-8:strict"}, "utf-8"),
    ],
)
def test_names_that_cannot_be_printed(names, settings, encoding):
    """On stdout, on stderr and in JSON."""
    folder, spelled = names
    for options, stream in (([], "stdout"), (["--json"], "stdout"), ([], "stderr")):
        if stream == "stderr":
            for photo in folder.iterdir():
                photo.write_bytes(b"")
        done = subprocess.run(
            [*QUICK, *options, str(folder)], cwd=ROOT, env={**os.environ, **settings}, capture_output=True, timeout=120)  # fmt: skip
        lines = getattr(done, stream).decode(encoding).splitlines()
        if options:
            # In the encoding of that process' file names.
            file_names = "ascii" if "PYTHONUTF8" in settings else "utf-8"
            told = [json.loads(line)["photo"] for line in lines]
            assert sorted(name.encode(file_names, "surrogateescape") for name in told) == sorted(
                map(os.fsencode, folder.iterdir())
            )
        elif stream == "stdout":
            assert len(lines) == 5
            if encoding == "utf-8":
                assert lines == [f"{folder}/{name}: a dog" for name in spelled]
            assert all(line.isprintable() for line in lines)
        else:
            assert done.returncode == 1
            assert len(lines) == 5
            assert all(line.endswith(": This file is empty.") and line.isprintable() for line in lines)
            assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a b.jpg", "a b.jpg"),
        ("\udcffa\udc80", r"\xffa\x80"),
        ("tab\there\r\n", r"tab\there\r\n"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("\u2028", r"\u2028"),
        ("\ud800", r"\ud800"),
        ("نام\u200cها", "نام\u200cها"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        (b"caf\xc3\xa9\xff", r"café\xff"),
    ],
)
def test_names_stay_on_one_line(name, shown):
    assert printable(name) == shown


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_that_has_seen_enough(options):
    """As `capmodel photos/ | head -1`."""
    photos = [PHOTOS / "soccer-players.jpg"] * 2000
    process = start([*QUICK, *options, *photos])
    assert "a dog" in process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_reader_that_is_gone_from_the_start():
    for arguments in (["--help"], ["--beam", "abc"], []):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([*CAPMODEL, *arguments], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, timeout=60)
        os.close(writer)
        assert b"Error" not in done.stderr
        assert done.returncode == (141 if arguments == ["--help"] else 2)


def test_nobody_reads_the_errors():
    reader, writer = os.pipe()
    os.close(reader)
    command = [*CAPMODEL, "no.jpg"]
    assert subprocess.run(command, cwd=ROOT, stdout=writer, stderr=writer, timeout=60).returncode == 141
    os.close(writer)


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_closed_streams(closed):
    line = f'"$@" {">&-" if closed == "stdout" else "2>&-"}'
    command = ["sh", "-c", line, "sh", *QUICK, str(PHOTOS / "soccer-players.jpg"), "no.jpg"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert ("a dog" in done.stdout) == (closed == "stderr")
    assert done.stderr.count("\n") == (closed == "stdout")


@pytest.mark.parametrize("arguments", [["--help"], [str(PHOTOS / "soccer-players.jpg")]])
def test_a_full_disk_behind_stdout(arguments):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [*QUICK, *arguments], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert (done.returncode, done.stderr) == (1, "The output cannot be written: No space left on device.\n")


@pytest.mark.parametrize("seconds", [0.3, 0.8, 1.5, 2.5])
def test_ctrl_c_while_it_starts(seconds):
    """While modules are imported, or the model is loaded."""
    process = start([*CAPMODEL, PHOTOS, PHOTOS, PHOTOS])
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert err == "Stopped.\n"
    assert process.returncode in (130, -signal.SIGINT)  # which a shell reports as 130, too


def test_ctrl_c_while_it_captions():
    """While threads load photos; what was printed before stays."""
    process = start([*CAPMODEL, *[PHOTOS] * 20])
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "Stopped.\n")
    assert ": " in first


def test_ctrl_c_while_it_waits_for_a_photo():
    process = start([*CAPMODEL, "-"], stdin=subprocess.PIPE)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "Stopped.\n")


def test_ctrl_c_in_a_callback_that_cannot_raise():
    """As in `__del__`, where an exception is only reported."""
    code = """
import os, signal, time
from capmodel.command_line import command

class Freed:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100):
            pass

@command
def main():
    Freed()
    time.sleep(60)

main()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (130, "Stopped.\n")


def test_ctrl_c_that_a_library_turns_into_its_own_exception():
    """As PyTorch does while it reads weights."""
    code = """
import os, signal
from capmodel.command_line import command, explained

@command
def main():
    with explained():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(100):
                pass
        except KeyboardInterrupt:
            raise ValueError("could not determine the shape") from None

main()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (130, "Stopped.\n")


def test_ctrl_c_twice(tmp_path):
    code = """
import time
from capmodel.command_line import command

@command
def main():
    try:
        print("begun", flush=True)
        time.sleep(60)
    finally:
        print("ending", flush=True)
        time.sleep(60)

main()
"""
    process = start([sys.executable, "-c", code])
    for line in ("begun\n", "ending\n"):
        assert process.stdout.readline() == line
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_ctrl_c_that_a_library_turns_into_another_error():
    @command
    def main():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        except KeyboardInterrupt as error:
            raise ImportError("an extension could not be initialized") from error

    before = signal.getsignal(signal.SIGINT), sys.unraisablehook
    try:
        with pytest.raises(SystemExit) as end:
            main()
    finally:
        signal.signal(signal.SIGINT, before[0])
        sys.unraisablehook = before[1]
    assert end.value.code == 130


def test_who_ignores_ctrl_c_is_left_alone():
    """As under nohup."""
    process = start([*QUICK, *[PHOTOS / "soccer-players.jpg"] * 500],
                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))  # fmt: skip
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out.count("\n"), err) == (0, 499, "")


def test_other_errors_are_left_alone():
    @command
    def main():
        raise ConnectionResetError(104, "Connection reset by peer")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ConnectionResetError):
        main()
    assert signal.getsignal(signal.SIGINT) is before


def test_files_that_cannot_be_used_are_one_sentence(capsys):
    @command
    def main(path):
        open(path).close()  # noqa: PTH123

    for path, message in (("no\nwhere", r"no\nwhere: No such file or directory."), ("/", "/: Is a directory.")):
        with pytest.raises(SystemExit) as end:
            main(path)
        assert (end.value.code, capsys.readouterr().err) == (1, message + "\n")
