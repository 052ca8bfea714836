"""Splits and names of data sets, several of them at once, and what is said when something is missing."""

import json
from pathlib import Path

import pytest
from PIL import Image
from support.shapes import make_shapes

from train.data.datasets import DataSet, Example, load_sets, load_split
from train.data.errors import DataError


@pytest.fixture
def flickr8k(tmp_path):
    return make_shapes(tmp_path / "flickr8k", photos=20, size=32)


def write_photos(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name)


def test_flickr8k(flickr8k):
    splits = {split: load_split(flickr8k, split) for split in ("train", "dev", "test")}
    assert {split: len(examples) for split, examples in splits.items()} == {"train": 12, "dev": 4, "test": 4}
    first = splits["train"][0]
    assert first.photo.is_file()
    assert first.photo.name == (flickr8k / "Flickr_8k.trainImages.txt").read_text().split()[0]
    assert len(first.captions) == 2
    assert first.captions[0].startswith("A ")


def test_flickr8k_as_it_is_unpacked(flickr8k):
    expected = [example.captions for example in load_split(flickr8k, "dev")]
    (flickr8k / "Images").rename(flickr8k / "Flicker8k_Dataset")
    (flickr8k / "Flickr8k_text").mkdir()
    for path in flickr8k.glob("*.txt"):
        path.rename(flickr8k / "Flickr8k_text" / path.name)
    assert [example.captions for example in load_split(flickr8k, "dev")] == expected


def test_karpathy(tmp_path):
    images = [
        {
            "filename": "a.jpg",
            "filepath": "train2014",
            "split": "train",
            "sentences": [{"raw": "A cat ."}, {"raw": "Cat ."}],
        },
        {"filename": "b.jpg", "filepath": "val2014", "split": "restval", "sentences": [{"raw": "A dog ."}]},
        {"filename": "c.jpg", "filepath": "val2014", "split": "val", "sentences": [{"raw": "A cow ."}]},
        {"filename": "d.jpg", "filepath": "val2014", "split": "test", "sentences": [{"raw": "A pig ."}]},
    ]
    (tmp_path / "dataset_coco.json").write_text(json.dumps({"images": images}))
    write_photos(tmp_path, "train2014/a.jpg", "val2014/b.jpg", "val2014/c.jpg", "val2014/d.jpg")
    assert load_split(tmp_path, "train") == [
        Example(tmp_path / "train2014/a.jpg", ("A cat .", "Cat .")),
        Example(tmp_path / "val2014/b.jpg", ("A dog .",)),
    ]
    assert [example.captions for example in load_split(tmp_path, "dev")] == [("A cow .",)]
    assert [example.captions for example in load_split(tmp_path, "test")] == [("A pig .",)]


def test_karpathy_without_a_path_finds_the_photos_folder(tmp_path):
    images = [{"filename": "a.jpg", "split": "train", "sentences": [{"raw": "A cat ."}]}]
    (tmp_path / "dataset_flickr30k.json").write_text(json.dumps({"images": images}))
    write_photos(tmp_path, "images/a.jpg")
    assert load_split(tmp_path, "train")[0].photo == tmp_path / "images/a.jpg"


def test_image_folder_with_splits(tmp_path):
    for split in ("train", "validation", "test"):
        write_photos(tmp_path / split, f"{split}.jpg")
        rows = [{"file_name": f"{split}.jpg", "text": "One."}, {"file_name": f"{split}.jpg", "text": 'Two, "three".'}]
        (tmp_path / split / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for split, folder in (("train", "train"), ("dev", "validation"), ("test", "test")):
        expected = Example(tmp_path / folder / f"{folder}.jpg", ("One.", 'Two, "three".'))
        assert load_split(tmp_path, split) == [expected]


def test_image_folder_in_one_folder_is_split_by_name(tmp_path):
    names = [f"{index}.jpg" for index in range(60)]
    write_photos(tmp_path, *names)
    (tmp_path / "metadata.csv").write_text("file_name,text\n" + "".join(f'{name},"A, b"\n' for name in names))
    splits = [load_split(tmp_path, split) for split in ("train", "dev", "test")]
    assert sorted(example.photo.name for examples in splits for example in examples) == sorted(names)
    assert len(splits[0]) > 30
    assert splits[0][0].captions == ("A, b",)


@pytest.mark.parametrize("missing", ["folder", "list", "photos", "photo", "everything", "columns"])
def test_what_is_missing_is_said_in_one_sentence(flickr8k, missing):
    folder = flickr8k
    if missing == "folder":
        folder = flickr8k / "nowhere"
    elif missing == "list":
        (flickr8k / "Flickr_8k.devImages.txt").unlink()
    elif missing == "photos":
        (flickr8k / "Images").rename(flickr8k / "Elsewhere")
    elif missing == "photo":
        load_split(flickr8k, "dev")[2].photo.unlink()
    elif missing == "everything":
        (flickr8k / "Flickr8k.token.txt").unlink()
    else:
        (flickr8k / "Flickr8k.token.txt").unlink()
        (flickr8k / "metadata.csv").write_text("name,caption\na.jpg,A\n")
    with pytest.raises(DataError) as caught:
        load_split(folder, "dev")
    message = str(caught.value)
    named = {
        "list": "devImages",
        "photos": "No file for 4 of the 4",
        "photo": "No file for 1 of the 4",
        "columns": "file_name and text",
    }
    assert named.get(missing, str(folder)) in message
    assert str(flickr8k) in message


def test_unknown_splits_are_refused(flickr8k):
    with pytest.raises(ValueError, match="train, dev, test"):
        load_split(flickr8k, "val")


def test_several_data_sets(flickr8k, tmp_path, monkeypatch):
    other = make_shapes(tmp_path / "shapes", photos=10, size=32)
    found = load_sets([flickr8k, other], "dev")
    assert found == [DataSet("flickr8k", load_split(flickr8k, "dev")), DataSet("shapes", load_split(other, "dev"))]
    assert found[1].photos == [example.photo for example in load_split(other, "dev")]
    assert [len(captions) for captions in found[1].captions] == [2, 2]
    monkeypatch.chdir(other)  # a name is that of the folder, however it is given
    assert [data.name for data in load_sets([Path(), Path("../flickr8k")], "dev")] == ["shapes", "flickr8k"]


def test_data_sets_in_folders_of_the_same_name_are_told_apart_by_their_paths(flickr8k, tmp_path):
    twin = make_shapes(tmp_path / "elsewhere" / "flickr8k", photos=10, size=32)
    other = make_shapes(tmp_path / "shapes", photos=10, size=32)
    names = [data.name for data in load_sets([flickr8k, twin, other], "test")]
    assert names == [str(flickr8k), str(twin), "shapes"]


def test_a_data_set_that_is_missing_among_several_is_named(flickr8k, tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        load_sets([flickr8k, tmp_path / "nowhere"], "dev")
