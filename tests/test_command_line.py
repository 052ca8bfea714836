"""python -m capmodel, as a user types it, with the bundled model."""

import json
import shutil
import subprocess
import sys

import pytest
from PIL import Image
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
        (["--beam", "0", str(PHOTOS)], "beam must be"),
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


def test_an_empty_folder_is_explained(capsys, tmp_path):
    assert status([str(tmp_path)]) == 2
    assert "no photos in" in capsys.readouterr().err


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
