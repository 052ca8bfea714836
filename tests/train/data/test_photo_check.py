"""Damaged photos are named before training, or left out if that was asked for."""

from pathlib import Path

import pytest
from accelerate.state import AcceleratorState
from support.datasets import write, write_photos

from capmodel.photos.folders import list_photos
from train import distill, evaluate, faithfulness, finetune, scst, xe
from train.data.datasets import DataSet, Example
from train.data.errors import DataError
from train.data.photo_check import damaged, readable, readable_sets
from train.distill import find_photos

ROWS = {"a.jpg": "train", "b.jpg": "train", "c.jpg": "dev", "d.jpg": "test"}


@pytest.fixture
def photos(tmp_path):
    """Two good photos, one that is cut short, one that is empty, and one that is no photo."""
    write_photos(tmp_path, "a.jpg", "b.jpg", "cut.jpg")
    whole = (tmp_path / "cut.jpg").read_bytes()
    write(tmp_path / "cut.jpg", whole[: len(whole) * 9 // 10])
    write(tmp_path / "empty.jpg", b"")
    write(tmp_path / "text.jpg", "Not found")
    return sorted(tmp_path.iterdir())


def names(paths):
    return [path.name for path in paths]


def test_every_damaged_photo_is_found(photos):
    assert {photo.name: fault for photo, fault in damaged(photos).items()} == {
        "cut.jpg": "This file is damaged or cut short, so it cannot be read as a photo.",
        "empty.jpg": "This file is empty.",
        "text.jpg": "This file is not a photo in a format that can be read.",
    }


def test_damaged_photos_are_named_or_left_out(photos, capsys):
    with pytest.raises(DataError, match=r"^3 of 5 photos cannot be read: .*cut\.jpg: .*empty\.jpg: .*--skip-bad\.$"):
        readable(photos)
    assert names(readable(photos, skip_bad=True)) == ["a.jpg", "b.jpg"]
    assert "They are left out." in capsys.readouterr().err
    with pytest.raises(DataError, match=r"Nothing is left\.$"):
        readable(photos[2:], skip_bad=True)


def test_data_sets_lose_only_damaged_photos(photos):
    data = DataSet("x", [Example(photo, (photo.name, "again")) for photo in photos])
    assert readable_sets([data], skip_bad=True) == [
        DataSet("x", [Example(photos[0], ("a.jpg", "again")), Example(photos[1], ("b.jpg", "again"))])
    ]


@pytest.fixture
def data(tmp_path):
    """A data set whose training photo b.jpg, dev photo c.jpg and test photo d.jpg are damaged."""
    folder = tmp_path / "data"
    write_photos(folder, "a.jpg", "c2.jpg", "d2.jpg")
    for name in ("b.jpg", "c.jpg", "d.jpg"):
        write(folder / name, b"\xff\xd8\xff")
    rows = ROWS | {"c2.jpg": "dev", "d2.jpg": "test"}
    write(folder / "metadata.csv", "file_name,text,split\n" + "".join(f"{n},A,{split}\n" for n, split in rows.items()))
    return folder


def test_distillation_looks_at_all_its_photos(data, tmp_path):
    more = tmp_path / "more"
    write_photos(more, "good.jpg", "held-out photo.jpg")
    write(more / "bad.jpg", b"\xff\xd8\xff")
    held_out = write(tmp_path / "held_out.txt", "held-out photo.jpg\n")
    found = list_photos(more)
    with pytest.raises(DataError, match=r"^2 of 4 photos cannot be read: .*b\.jpg: .*bad\.jpg: "):
        find_photos([data], found, [held_out])
    learned, judged = find_photos([data], found, [held_out], skip_bad=True)
    assert names(learned) == ["a.jpg", "good.jpg"]
    assert names(judged) == ["held-out photo.jpg", "c2.jpg"]
    with pytest.raises(DataError, match="There are no photos to learn from"):
        find_photos([], [], [])


SCRIPTS = {
    xe: ["--backbone", "BACKBONE"],
    scst: ["--model", "softmax"],
    finetune: ["--init", "softmax"],
    evaluate: [],
    faithfulness: [],
    distill: [],
}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_every_script_names_a_damaged_photo(script, data, tmp_path, tiny_captioner):
    tiny_captioner.model.encoder.save(tmp_path / "backbone")
    arguments = [str(tmp_path / "backbone") if each == "BACKBONE" else each for each in SCRIPTS[script]]
    out = [] if script is evaluate else ["--out", str(tmp_path / "out")]
    AcceleratorState._reset_state(reset_partial_state=True)  # of the script before
    bad = {evaluate: "d.jpg", faithfulness: "c.jpg"}.get(script, "b.jpg")
    with pytest.raises(DataError) as caught:
        script.main(["--data", str(data), *arguments, *out])
    assert str(caught.value).startswith(
        f"1 of 2 photos cannot be read: {Path(data, bad)}: This photo is damaged or of a rare kind"
    )
