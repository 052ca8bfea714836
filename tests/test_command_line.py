"""python -m capmodel, as a user types it, with the bundled model."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from support.privileges import run_plain
from support.samples import PHOTOS

from capmodel.__main__ import main
from capmodel.model.caption_model import WEIGHTS
from capmodel.resources import MODELS


def run_process(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "capmodel", *map(str, arguments)], capture_output=True, text=True, timeout=300
    )


@pytest.fixture
def few(tmp_path):
    """Three photos, a text file that says it is one, and a text file that does not."""
    for name in ("two-dogs-playing-on-grass.jpg", "surfer-on-big-wave.jpg", "soccer-players.jpg"):
        shutil.copy(PHOTOS / name, tmp_path)
    (tmp_path / "letter.jpg").write_text("Dear reader")
    (tmp_path / "notes.txt").write_text("not shown to the model")
    return tmp_path


def test_all_bundled_photos_twice(capsys):
    """In a process of its own, and in this one, which has done other things before."""
    first = run_process("--json", PHOTOS)
    assert first.returncode == 0, first.stderr
    assert main(["--json", str(PHOTOS)]) == 0
    assert first.stdout == capsys.readouterr().out
    lines = [json.loads(line) for line in first.stdout.splitlines()]
    assert [line["photo"] for line in lines] == sorted(str(path) for path in PHOTOS.glob("*.jpg"))
    assert len(lines) == 28
    for line in lines:
        assert line["caption"] == " ".join(word["word"] for word in line["words"])
        for word in line["words"]:
            assert [len(row) for row in word["attention"]] == [8] * 8
            assert sum(map(sum, word["attention"])) == pytest.approx(1, abs=1e-4)
            assert 0 <= word["probability"] <= 1
            assert len(word["alternatives"]) == 5
    # Not one caption for all: the model looks at the photo.
    assert len({line["caption"] for line in lines}) > 14


def test_what_it_says_of_an_easy_photo(capsys):
    assert main([str(PHOTOS / "two-dogs-playing-on-grass.jpg")]) == 0
    assert "dog" in capsys.readouterr().out


def test_a_bad_photo_has_its_line_and_the_others_go_on(few, capsys):
    assert main(["--json", str(few)]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [("error" in line, "caption" in line) for line in lines] == [(True, False)] + [(False, True)] * 3
    assert lines[0] == {
        "photo": str(few / "letter.jpg"),
        "error": "This file is not a photo in a format that can be read.",
    }


def test_a_folder_as_people_have_it(few, capsys):
    """Photos of any name are captioned, thumbnails and what systems leave are not, and the rest is counted."""
    photo = (few / "surfer-on-big-wave.jpg").read_bytes()
    (few / "letter.jpg").unlink()
    for name in (
        "IMG_0001", "from the web.jfif", "phone.MPO", "copy.jpg (1)", "sony.HIF",
        "._soccer-players.jpg", ".thumbnails/a.jpg", "__MACOSX/._b.jpg", "@eaDir/c.jpg/SYNOPHOTO_THUMB_XL.jpg", "film.mp4",
    ):  # fmt: skip
        (few / name).parent.mkdir(parents=True, exist_ok=True)
        (few / name).write_bytes(photo)
    (few / "loop").symlink_to(few)
    assert main([str(few)]) == 0
    said = capsys.readouterr()
    assert [Path(line.partition(": ")[0]).name for line in said.out.splitlines()] == [
        "IMG_0001", "copy.jpg (1)", "from the web.jfif", "phone.MPO", "soccer-players.jpg", "sony.HIF",
        "surfer-on-big-wave.jpg", "two-dogs-playing-on-grass.jpg",
    ]  # fmt: skip
    assert said.err == "2 other files left out.\n"


def test_what_cannot_be_read_has_its_line_and_the_others_go_on(few, capsys):
    (few / "letter.jpg").unlink()
    (few / "gone.jpg").symlink_to(few / "nowhere.jpg")
    assert main([str(few)]) == 1
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 3
    assert said.err == f"{few / 'gone.jpg'}: This link leads nowhere, so it is left out.\n1 other file left out.\n"


def test_evidence_only_when_asked(few, capsys):
    photo = few / "surfer-on-big-wave.jpg"
    assert main(["--json", str(photo)]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert main(["--json", "--evidence", str(photo), "--figure", str(few / "both.png")]) == 0
    told = json.loads(capsys.readouterr().out)
    for before, word in zip(plain["words"], told["words"], strict=True):
        evidence, kept = word.pop("evidence"), word.pop("kept")
        assert word == before
        assert [len(row) for row in evidence] == [8] * 8
        assert min(map(min, evidence)) < 0 < max(map(max, evidence))
        assert 0 < kept < 5
    main([str(photo), "--figure", str(few / "looked.png")])
    heights = [Image.open(few / name).size[1] for name in ("looked.png", "both.png")]
    assert heights[1] > 1.6 * heights[0]


def test_pictures_are_written(few, capsys):
    photo = few / "surfer-on-big-wave.jpg"
    assert main([str(photo), "--figure", str(few / "out.png"), "--gif", str(few / "out.gif")]) == 0
    assert Image.open(few / "out.png").size[0] > 600
    assert Image.open(few / "out.gif").n_frames > 10
    main([str(photo), str(few / "soccer-players.jpg"), "--figure", str(few / "sheet.png")])
    written = sorted(path.name for path in few.glob("sheet*"))
    assert written == ["sheet-1-surfer-on-big-wave.png", "sheet-2-soccer-players.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing-here.jpg"], "does not exist"),
        (["--model", "no-such-model", str(PHOTOS)], "softmax"),
        ([], "--help"),
        (["--beam", "abc", str(PHOTOS)], "must be a whole number from 1 to 100, not abc"),
        (["--beam", "101", str(PHOTOS)], "must be a whole number from 1 to 100, not 101"),
        (["--beam", "²", str(PHOTOS)], "must be a whole number"),
        (["--gif", "nowhere/out.gif", str(PHOTOS)], "there is no folder nowhere"),
        (["--beam", "0", str(PHOTOS)], "must be a whole number from 1 to 100, not 0"),
    ],
)
def test_mistakes_are_explained(capsys, arguments, message):
    assert status(arguments) in (1, 2)
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


@pytest.mark.parametrize("program", [["-m", "capmodel", PHOTOS / "soccer-players.jpg"], ["app.py"]])
def test_a_damaged_model_is_explained_in_one_line(program, tmp_path):
    shutil.copytree(MODELS / "softmax", tmp_path / "model")
    weights = tmp_path / "model" / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:1_000_000])
    command = [sys.executable, *program, "--model", tmp_path / "model"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert f"{weights} is not a complete safetensors file" in done.stderr


@pytest.fixture
def quick(monkeypatch, captioner):
    """The command line with a model that has been loaded already."""
    monkeypatch.setattr("capmodel.__main__.load_captioner", lambda *source, **precision: captioner)


@pytest.mark.parametrize("name", ["surfer-on-big-wave.jpg", "./a/../surfer-on-big-wave.jpg", "link.jpg", "hard.jpg"])
def test_a_photo_is_not_overwritten(few, monkeypatch, capsys, name):
    monkeypatch.chdir(few)
    (few / "a").mkdir()
    (few / "link.jpg").symlink_to("surfer-on-big-wave.jpg")
    (few / "hard.jpg").hardlink_to("surfer-on-big-wave.jpg")
    before = (few / "surfer-on-big-wave.jpg").read_bytes()
    assert status(["surfer-on-big-wave.jpg", "--figure", name]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "would overwrite the photo surfer-on-big-wave.jpg" in said.err
    assert (few / "surfer-on-big-wave.jpg").read_bytes() == before


def test_a_numbered_name_does_not_overwrite_a_photo(few, capsys):
    """Those of two photos may be the name of a third."""
    (few / "soccer-players.jpg").rename(few / "out-1-letter.jpg")
    assert status([str(few), "--figure", str(few / "out.jpg")]) == 2
    assert "would overwrite the photo" in capsys.readouterr().err


@pytest.mark.usefixtures("quick")
def test_photos_of_the_same_name_and_of_long_names(few, tmp_path_factory, capsys):
    other = tmp_path_factory.mktemp("other")
    long = "ö" * 120 + ".jpg"
    for name in ("surfer-on-big-wave.jpg", long):
        shutil.copy(few / "surfer-on-big-wave.jpg", other / name)
    photos = [few / "surfer-on-big-wave.jpg", other / "surfer-on-big-wave.jpg", other / long]
    assert main([*map(str, photos), "--gif", str(few / "attention-map.gif")]) == 0
    names = sorted(path.name for path in few.glob("*.gif"))
    assert names[:2] == [f"attention-map-{number}-surfer-on-big-wave.gif" for number in (1, 2)]
    assert names[2].startswith("attention-map-3-öööö")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", ["figure", "gif", "mp4", "html"])
def test_a_full_disk_is_told_once_and_captions_go_on(few, capsys, kind):
    targets = [few / f"out-{number}-{photo.stem}.{kind}" for number, photo in enumerate(sorted(few.glob("*.jpg")), 1)]
    for target in [few / f"out.{kind}", *targets]:
        suffix = ".png" if kind == "figure" else target.suffix
        target.with_suffix(suffix).symlink_to("/dev/full")
    suffix = "png" if kind == "figure" else kind
    assert main([str(few), f"--{kind}", str(few / f"out.{suffix}")]) == 1
    said = capsys.readouterr()
    assert said.out.count("\n") == 3
    [line] = [line for line in said.err.splitlines() if "cannot be written" in line]
    assert "This file cannot be written: No space left on device" in line


@pytest.mark.usefixtures("quick")
def test_a_photo_one_pixel_wide(tmp_path, capsys):
    Image.effect_noise((1, 3000), 90).convert("RGB").save(tmp_path / "narrow.png")
    options = [
        f"--{kind}={tmp_path}/out.{suffix}" for kind, suffix in (("mp4", "mp4"), ("gif", "gif"), ("figure", "png"))
    ]
    assert main([str(tmp_path / "narrow.png"), f"--html={tmp_path}/out.html", *options]) == 0
    assert {path.name for path in tmp_path.glob("out.*")} == {"out.mp4", "out.gif", "out.png", "out.html"}
    with av.open(str(tmp_path / "out.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) > 25


@pytest.mark.usefixtures("quick")
def test_each_photo_that_cannot_be_read_has_its_line(few, capsys):
    long = "x" * 300 + ".jpg"
    (few / "nowhere.jpg").symlink_to("gone")
    photos = [
        few / "surfer-on-big-wave.jpg",
        few / long,
        few / "no.jpg",
        few / "nowhere.jpg",
        few / "soccer-players.jpg",
    ]
    assert main([*map(str, photos)]) == 1
    said = capsys.readouterr()
    assert [line.partition(": ")[0] for line in said.out.splitlines()] == [str(photos[0]), str(photos[4])]
    assert [line.partition(": ")[2] for line in said.err.splitlines()] == [
        "This text is too long for the name of a file; give the path of a photo.",
        "This file does not exist.",
        "This file does not exist.",
    ]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", ["figure", "html"])
def test_a_photo_that_vanishes(few, capsys, monkeypatch, captioner, kind):
    """Before it was read, or before it was drawn."""
    (few / "letter.jpg").unlink()
    first, second, third = sorted(few.glob("*.jpg"))

    def stream(photos, options, **more):
        third.unlink()
        for result in type(captioner).stream(captioner, photos, options, **more):
            first.unlink(missing_ok=True)
            yield result

    monkeypatch.setattr(captioner, "stream", stream)
    target = few / ("out.png" if kind == "figure" else "out.html")
    assert main([str(few), f"--{kind}", str(target)]) == 1
    said = capsys.readouterr()
    assert [line.partition(": ")[0] for line in said.out.splitlines()] == [str(first), str(second)]
    assert sorted(line for line in said.err.splitlines() if "left out" not in line) == [
        f"{first}: This file does not exist.",
        f"{third}: This file does not exist.",
    ]
    written = [path for path in few.iterdir() if path.suffix != ".jpg" and path.name.startswith("out")]
    assert len(written) == 1
    assert second.stem in (written[0].name if kind == "figure" else written[0].read_text())


def test_a_folder_that_may_not_be_read(few):
    for name in ("closed", ".Trash-0"):
        (few / "photos" / name).mkdir(parents=True)
    shutil.move(few / "surfer-on-big-wave.jpg", few / "photos")
    shutil.move(few / "soccer-players.jpg", few / "photos" / "closed")
    code = (
        "import sys; import capmodel.__main__ as m; "
        "m.load_captioner = lambda *a, **k: type('', (), {'stream': lambda self, photos, options, **more: "
        "(m.PhotoError(f'seen {p.name}') for p in photos)})(); sys.exit(m.main(sys.argv[1:]))"
    )
    closed = few / "photos" / "closed"
    for folder in (closed, few / "photos" / ".Trash-0"):
        folder.chmod(0)
    done = run_plain([sys.executable, "-c", code, few / "photos", closed])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"{few / 'photos' / 'surfer-on-big-wave.jpg'}: seen surfer-on-big-wave.jpg",
        *[f"{closed}: This folder could not be opened (Permission denied), so it is left out."] * 2,
    ]


def test_a_file_that_may_not_be_written(few):
    photo = few / "surfer-on-big-wave.jpg"
    (few / "old.gif").touch(mode=0o400)
    few.chmod(0o500)
    for name, message in (
        ("old.gif", "this file is there already"),
        ("new.gif", f"the folder {few} may not be written"),
    ):
        done = run_plain([sys.executable, "-m", "capmodel", photo, "--gif", few / name])
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert message in done.stderr
    few.chmod(0o700)


@pytest.mark.usefixtures("quick")
def test_pipes(few, monkeypatch, capsys):
    """A pipe is read once, also where its photo is drawn."""
    data = (few / "surfer-on-big-wave.jpg").read_bytes()
    reader, writer = os.pipe()
    pool = ThreadPoolExecutor(1)

    def write() -> None:
        with os.fdopen(writer, "wb") as file:
            file.write(data)

    pool.submit(write)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(["-", f"/dev/fd/{reader}", "--figure", str(few / "out.png")]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert (first.partition(": ")[0], second.partition(": ")[0]) == ("-", f"/dev/fd/{reader}")
    assert first.partition(": ")[2] == second.partition(": ")[2]
    assert len(list(few.glob("out-*.png"))) == 2
    os.close(reader)


@pytest.mark.usefixtures("quick")
def test_numbers_are_as_short_as_they_are_rounded(few, capsys, captioner):
    photo = few / "surfer-on-big-wave.jpg"
    assert main(["--json", str(photo)]) == 0
    line = capsys.readouterr().out
    assert max(len(digits) for digits in re.findall(r"\d\.(\d+)(?!\d|e)", line)) <= 6
    told, [caption] = json.loads(line), captioner([photo])
    for said, word in zip(told["words"], caption.words, strict=True):
        np.testing.assert_allclose(said["attention"], word.weights, atol=5.1e-7)
        assert said["probability"] == pytest.approx(word.probability, abs=5.1e-5)


def test_an_empty_folder_is_explained(capsys, tmp_path):
    assert status([str(tmp_path)]) == 2
    assert "no photos in" in capsys.readouterr().err
    (tmp_path / "notes.txt").touch()
    assert status([str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("1 other file left out.\n")
    assert f"There are no photos in {tmp_path}" in said


def status(arguments: list[str]) -> int:
    """Of the process that would call `main` with the arguments. Any other exception would be a traceback."""
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code


def test_slow_packages_stay_out_of_plain_captions():
    code = (
        "import sys; from capmodel.__main__ import main; main([sys.argv[1]]); "
        "print([name for name in ('gradio', 'matplotlib', 'pillow_heif', 'cv2') if name in sys.modules])"
    )
    photo = PHOTOS / "soccer-players.jpg"
    done = subprocess.run([sys.executable, "-c", code, photo], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "[]"
