"""Captioning in bulk, as a user types it: three kinds of sources, and processes killed while they work."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from support.samples import PHOTOS

from capmodel import Captioner
from capmodel.bulk import loading
from capmodel.bulk.__main__ import main
from capmodel.bulk.loading import DEATHS, load_part
from capmodel.bulk.parts import update_plan
from capmodel.bulk.sources import Place, SourceError, list_source, read_places

NAMES = ["surfer-on-big-wave.jpg", "two-dogs-playing-on-grass.jpg", "soccer-players.jpg", "dachshund-in-snow.jpg"]
DAMAGED = (PHOTOS / NAMES[0]).read_bytes()[:9000]
CUT = "This file is damaged or cut short, so it cannot be read as a photo."
NO_PHOTO = "This file is not a photo in a format that can be read."
# The keys of all sources, and of each the bundled photo that it is, or the error.
EXPECTED = {
    "folder": {
        "letter.jpg": NO_PHOTO,
        "summer/dogs.JPG": NAMES[1],
        "summer/surfer.jpg": NAMES[0],
    },
    "parquet": {
        "hub.parquet:0": NAMES[2],
        "hub.parquet:1": "This row holds no photo.",
        "hub.parquet:2": NAMES[3],
        "plain-1": CUT,
        "plain-2": NAMES[1],
    },
    "webdataset": {
        "deep/shard-7.tar/a/000": NAMES[0],
        "deep/shard-7.tar/a/001": NO_PHOTO,
        "deep/shard-7.tar/a/002": NAMES[3],
    },
}


@pytest.fixture
def pyarrow():
    return pytest.importorskip("pyarrow", reason="pip install 'ray[data]'")


@pytest.fixture(scope="module")
def ray_data():
    """Only whether it is there: Ray runs in processes of its own."""
    pytest.importorskip("ray.data", reason="pip install 'ray[data]'")


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A folder for each kind of source."""
    pyarrow = pytest.importorskip("pyarrow", reason="pip install 'ray[data]'")
    from pyarrow import parquet

    root = tmp_path_factory.mktemp("sources")
    photos = [(PHOTOS / name).read_bytes() for name in NAMES]
    for name in ("folder/summer", "parquet", "webdataset/deep"):
        (root / name).mkdir(parents=True)
    (root / "folder" / "letter.jpg").write_text("Dear reader")
    (root / "folder" / "notes.txt").write_text("no photo")
    (root / "folder" / "summer" / "surfer.jpg").write_bytes(photos[0])
    (root / "folder" / "summer" / "dogs.JPG").write_bytes(photos[1])

    images = [{"bytes": photos[2], "path": "x.jpg"}, {"bytes": None, "path": None}, {"bytes": photos[3], "path": None}]
    parquet.write_table(pyarrow.table({"image": images}), root / "parquet" / "hub.parquet", row_group_size=2)
    plain = pyarrow.table({"key": ["plain-1", "plain-2"], "bytes": [DAMAGED, photos[1]]})
    parquet.write_table(plain, root / "parquet" / "plain.parquet")
    parquet.write_table(pyarrow.table({"url": ["there"]}), root / "parquet" / "addresses.parquet")

    members = {
        "a/000.jpg": photos[0],
        "a/000.json": b"{}",
        "a/000.png": b"another photo of the same sample",
        "a/001.webp": b"none",
        "a/002.cls": b"7",
        "a/002.JPEG": photos[3],
    }
    with tarfile.open(root / "webdataset" / "deep" / "shard-7.tar", "w") as shard:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            shard.addfile(entry, io.BytesIO(content))
    return root


@pytest.fixture(scope="module")
def everything(ray_data, sources):
    """A run over all sources; what it printed, and its folder."""
    out = sources / "folder" / "captions"  # inside a source, which must not read it
    done = run(*(sources / kind for kind in EXPECTED), "--out", out, "--part-size", 3, "--workers", 1)
    return done, out


@pytest.fixture(scope="module")
def captioned(everything):
    """The rows for all sources, by key."""
    done, out = everything
    assert done.returncode == 0, done.stderr
    return {row["key"]: row for row in read_rows(out)}


@pytest.fixture
def many(tiny_captioner, tmp_path):
    """A folder of 96 small photos, and the start of a command that captions them with a tiny model, two a part."""
    tiny_captioner.save_pretrained(tmp_path / "model")
    (tmp_path / "photos").mkdir()
    for number, path in enumerate(sorted(PHOTOS.glob("*.jpg"))[:24]):
        first = tmp_path / "photos" / f"{number}-0.jpg"
        Image.open(path).resize((96, 64)).save(first)
        for copy in range(1, 4):
            shutil.copy(first, first.with_stem(f"{number}-{copy}"))
    command = [tmp_path / "photos", "--out", tmp_path / "out", "--model", tmp_path / "model", "--beam", 1]
    return [*command, "--part-size", 2, "--workers", 1]


def start(*arguments) -> subprocess.Popen:
    command = [sys.executable, "-m", "capmodel.bulk", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def run(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "capmodel.bulk", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=400)


def read_rows(out: Path) -> list[dict]:
    """All rows of the results, read as anyone would who knows nothing of how they were made."""
    from pyarrow import parquet

    return parquet.read_table(out).to_pylist()


def finished(out: Path) -> list[Path]:
    return sorted(out.glob("part-*.parquet"))


def find_captioner(driver: subprocess.Popen) -> psutil.Process | None:
    for process in psutil.Process(driver.pid).children(recursive=True):
        with suppress(psutil.Error):  # it has just ended
            if "CaptionPart" in " ".join(process.cmdline()):
                return process
    return None


def stop_captioner(driver: subprocess.Popen, out: Path, parts: int) -> psutil.Process:
    """Waits until so many parts were done since there is a captioner, and holds its process before all 48 are done."""
    deadline = time.monotonic() + 400
    captioner, before = None, 0
    while captioner is None or len(finished(out)) < before + parts:
        assert driver.poll() is None, driver.stderr.read()
        assert time.monotonic() < deadline, "no captions came"
        if captioner is None:
            captioner, before = find_captioner(driver), len(finished(out))
        time.sleep(0.005 if captioner else 0.05)
    captioner.suspend()
    assert len(finished(out)) < 48, "it had done everything before it was killed"
    return captioner


def assert_each_once(out: Path, photos: Path) -> None:
    rows = read_rows(out)
    assert Counter(row["key"] for row in rows) == dict.fromkeys((path.name for path in photos.iterdir()), 1)
    assert [row["error"] for row in rows if row["error"]] == []
    assert all(row["words"] is not None for row in rows)


@pytest.mark.parametrize("kind", EXPECTED)
def test_same_captions_as_the_captioner(captioned, kind):
    photos = {key: name for key, name in EXPECTED[kind].items() if name in NAMES}
    for key, caption in zip(photos, Captioner.from_pretrained()([PHOTOS / name for name in photos.values()])):
        row = captioned[key]
        assert (row["caption"], row["error"]) == (caption.text, None)
        assert row["words"] == [word.text for word in caption.words]
        assert row["probabilities"] == pytest.approx([word.probability for word in caption.words], abs=1e-3)
        maps = np.array(row["maps"]).reshape(-1, 8, 8)
        np.testing.assert_allclose(maps, [word.weights for word in caption.words], atol=1e-3)
        assert maps.std() > 0.005  # so that the tolerance means something


def test_every_photo_has_a_row_and_a_bad_one_says_why(captioned):
    expected = EXPECTED["folder"] | EXPECTED["parquet"] | EXPECTED["webdataset"]
    assert captioned.keys() == expected.keys()
    for key, error in expected.items():
        if error not in NAMES:
            assert captioned[key] == dict.fromkeys(captioned[key]) | {"key": key, "error": error}


def test_a_killed_run_goes_on_and_a_killed_captioner_is_replaced(ray_data, many, tmp_path, capsys):
    out = tmp_path / "out"
    driver = start(*many)
    captioner = stop_captioner(driver, out, parts=3)
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    broken, *kept = finished(out)
    broken.write_bytes(broken.read_bytes()[:-100])
    (out / ".part-000047.parquet.0").write_bytes(kept[0].read_bytes()[:100])
    shutil.copy(tmp_path / "photos" / "0-0.jpg", tmp_path / "photos" / "+new.jpg")  # sorted first
    stamps = [path.stat().st_mtime_ns for path in kept]
    captioner.resume()  # what is left of the first run may write on, beside the second

    again = start(*many)
    second = stop_captioner(again, out, parts=2)
    second.kill()
    _, printed = again.communicate(timeout=400)
    captioner.wait(timeout=100)
    assert again.returncode == 0, printed
    assert_each_once(out, tmp_path / "photos")
    assert len(finished(out)) == 49
    assert [path.stat().st_mtime_ns for path in kept] == stamps, "what was done is not done again"
    [skipped] = re.findall(r"97 photos, (\d+) of them captioned before", printed)
    assert int(skipped) >= 2 * len(kept)

    assert main([str(argument) for argument in many]) == 0  # nothing is left, so this does not even start Ray
    assert "97 photos, 97 of them captioned before" in capsys.readouterr().err


def test_what_it_prints(everything):
    """Nothing of Ray's: neither its warnings on stderr nor those of its C++ code are ours to explain."""
    done, out = everything
    assert (done.returncode, done.stdout) == (0, "")
    left_out, without_column, counted, *bars, last = [line for line in re.split("[\r\n]+", done.stderr) if line]
    assert left_out == "1 other file left out."
    assert re.fullmatch(
        r"Left out: \S+/addresses\.parquet has no column image or bytes .+; see --image-column\.", without_column
    )
    assert counted == "11 photos, 0 of them captioned before."
    assert bars
    assert all("/11 [" in bar for bar in bars), done.stderr
    assert last == f"The captions are in {out}. Photos of this run with an error instead: 4."


def test_only_ray_is_quieted():
    code = """
import os, sys
from capmodel.bulk.quiet import without_ray_messages
with without_ray_messages():
    os.write(2, b"[2026-01-31 12:00:00,000 E 17 17] core_worker.cc:1: It failed.\\n")
    os.write(2, b"[2026-01-31 12:00:00,000 C 17 17] core_worker.cc:2: It fails for good.\\n")
    os.write(2, b"Segmentation fault\\n")
    print("Traceback", file=sys.stderr)
print("afterwards", file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert sorted(done.stderr.splitlines()) == [
        "Segmentation fault",
        "Traceback",
        "[2026-01-31 12:00:00,000 C 17 17] core_worker.cc:2: It fails for good.",
        "afterwards",
    ]


def test_without_ray_it_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit) as end:
        main([str(PHOTOS), "--out", str(tmp_path / "out")])
    assert end.value.code == 2
    assert 'pip install "capmodel[bulk]"' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_ray_is_imported_only_to_run():
    code = "import sys, capmodel.bulk; print([name for name in ('ray', 'pyarrow', 'pandas') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing-here"], "nothing-here does not exist"),
        (["folder/notes.txt", "folder/notes.txt"], "Two photos have the key 'notes.txt'"),
        (["parquet/addresses.parquet"], "has no column image or bytes"),
        (["parquet", "--image-column", "photo"], "there are no photos in"),
        (["folder", "--beam", "0"], "must be a whole number from 1 to 100, not 0"),
        (["folder", "--workers", "0"], "--workers: must be a whole number of at least 1, not 0"),
        (["folder", "--model", "no-such-model"], "softmax"),
        (["broken.parquet"], "cannot be read as Parquet"),
        (["broken.tar"], "cannot be read as a tar shard"),
    ],
)
def test_mistakes_are_explained(ray_data, sources, monkeypatch, capsys, tmp_path, arguments, message):
    monkeypatch.chdir(sources)
    shard = (sources / "webdataset" / "deep" / "shard-7.tar").read_bytes()
    (sources / "broken.tar").write_bytes(shard[: len(shard) // 2])
    (sources / "broken.parquet").write_bytes(shard[:1000])
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--out", str(tmp_path / "out")])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_a_folder_belongs_to_one_model(pyarrow, tmp_path):
    update_plan(tmp_path, {"model": "softmax", "beam": 5}, [["a"]], 2)
    with pytest.raises(SourceError, match="begun with --model softmax --beam 5, not --model hard --beam 5"):
        update_plan(tmp_path, {"model": "hard", "beam": 5}, [["a"]], 2)


def test_the_plan_only_grows_at_its_end(pyarrow, tmp_path):
    assert update_plan(tmp_path, {}, [["c", "d", "e"], ["x"]], 2) == [["c", "d"], ["e"], ["x"]]
    assert update_plan(tmp_path, {}, [["a", "b", "c", "e"]], 9) == [["c", "d"], ["e"], ["x"], ["a", "b"]]
    assert update_plan(tmp_path, {}, [["x"]], 1) == [["c", "d"], ["e"], ["x"], ["a", "b"]]


def test_places_are_read_in_any_order(sources, tmp_path):
    places = {**dict(list_source(sources / "parquet", tmp_path)), **dict(list_source(sources / "webdataset", tmp_path))}
    keys = ["hub.parquet:2", "deep/shard-7.tar/a/002", "plain-2", "hub.parquet:0", "deep/shard-7.tar/a/000"]
    expected = EXPECTED["parquet"] | EXPECTED["webdataset"]
    read = read_places([places[key] for key in keys])
    assert [bytes(photo) for photo in read] == [(PHOTOS / expected[key]).read_bytes() for key in keys]


def test_a_photo_that_has_gone_has_an_error(tmp_path):
    part = load_part({"part": 3, "keys": ["a"], "places": [None]}, tmp_path, 64, "bicubic")
    assert (part["errors"], part["squares"].shape) == (["This photo is no longer in the sources."], (1, 64, 64, 3))


def test_a_photo_that_crashes_its_reader_is_left_out_in_the_end(monkeypatch, tmp_path):
    places = [Place(os.fsencode(PHOTOS / name))._asdict() for name in NAMES[:3]]
    row = {"part": 0, "keys": NAMES[:3], "places": places}
    load = loading.load_square

    class Death(BaseException):
        """Ends the attempt there and then, as a crash does."""

    def crash(path, size, interpolation):
        if path.name == NAMES[1]:
            raise Death
        return load(path, size, interpolation)

    monkeypatch.setattr(loading, "load_square", crash)
    for _ in range(DEATHS):
        with pytest.raises(Death):
            load_part(row, tmp_path, 64, "bicubic")
    assert load_part(row, tmp_path, 64, "bicubic")["errors"] == [
        None,
        "This photo crashed 3 processes that read it.",
        None,
    ]
    assert list(tmp_path.iterdir()) == [], "the diary is deleted"


def test_a_name_that_is_not_text(pyarrow, tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg")
    shutil.copy(PHOTOS / NAMES[0], tmp_path / name)
    [(key, place)] = list_source(tmp_path, tmp_path / "out")
    key.encode()
    assert [Path(path).name for path in read_places([place])] == [name]


def test_a_folder_as_people_have_it(tmp_path, caplog):
    photo = (PHOTOS / NAMES[0]).read_bytes()
    root = tmp_path / "photos"
    for name in (
        "IMG_0001", "summer/a.jfif", "summer/b.MPO", "summer/copy.jpg (1)", "notes.txt", "film.mp4", "._a.jpg",
        ".thumbnails/a.jpg", "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", "out/photo.jpg", "z/last.jpg",
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(photo)
    (root / "gone.jpg").symlink_to("nowhere.jpg")
    keys = [key for key, _ in list_source(root, root / "out")]
    assert keys == ["IMG_0001", "summer/a.jfif", "summer/b.MPO", "summer/copy.jpg (1)", "z/last.jpg"]
    gone = f"{root / 'gone.jpg'}: This link leads nowhere, so it is left out."
    assert caplog.messages == [gone, "2 other files left out."]

    for link, target in (("a", "z"), ("summer/up", ".."), ("results", "out"), ("again.jpg", "z/last.jpg")):
        (root / link).symlink_to(root / target)
    assert [key for key, _ in list_source(root, root / "out")] == keys, "links rename no photo"


def test_photos_behind_links_are_read(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "photos").mkdir()
    shutil.copy(PHOTOS / NAMES[0], tmp_path / "far" / "a.jpg")
    (tmp_path / "photos" / "summer").symlink_to(tmp_path / "far")
    [(key, place)] = list_source(tmp_path / "photos", tmp_path / "out")
    assert key == "summer/a.jpg"
    [path] = read_places([place])
    assert Path(path).read_bytes() == (PHOTOS / NAMES[0]).read_bytes()
