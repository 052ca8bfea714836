"""Every layout of captioned photos, as people download or write it, gives the right photos and captions."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.datasets import captions_of, write, write_photos

from train.data.datasets import Example, load_split

CAT_AND_DOG = {"a.jpg": ("A cat , asleep", "Cat"), "b.jpg": ("A dog",)}
TABLE = [("a.jpg", "A cat , asleep"), ("a.jpg", "Cat"), ("b.jpg", "A dog")]


def table(header, delimiter=",", quote='"'):
    rows = [delimiter.join(header)]
    rows += [f"{name}{delimiter}{quote}{text}{quote}" for name, text in TABLE]
    return "\n".join(rows) + "\n"


def lines(key, of):
    return "\n".join(json.dumps({key: name, of: text}) for name, text in TABLE)


TABLES = {
    "commas": ("metadata.csv", table(["file_name", "text"])),
    "semicolons": ("metadata.csv", table(["file_name", "text"], ";")),
    "semicolons, no quotes": ("metadata.csv", table(["file_name", "text"], ";", "")),
    "tabs": ("metadata.tsv", table(["file_name", "text"], "\t", "")),
    "tabs in a .csv": ("metadata.csv", table(["file_name", "text"], "\t")),
    "Kaggle's Flickr8k": ("captions.txt", table(["image", "caption"])),
    "columns in another order and case": (
        "captions.csv",
        'Caption, Image\n"A cat , asleep", a.jpg\nCat,a.jpg\nA dog,b.jpg',
    ),
    "more columns": (
        "metadata.csv",
        'id,file_name,text,by\n1,a.jpg,"A cat , asleep",me\n2,a.jpg,Cat,me\n3,b.jpg,A dog,me\n',
    ),
    "trailing delimiters": ("metadata.csv", 'file_name,text\na.jpg,"A cat , asleep",,,\na.jpg,Cat,,\nb.jpg,A dog\n'),
    "numbered captions": ("captions.csv", 'image,caption_0,caption_1\na.jpg,"A cat , asleep",Cat\nb.jpg,A dog,\n'),
    "Flickr30k": (
        "results.csv",
        "image_name| comment_number| comment\na.jpg| 0| A cat , asleep\na.jpg| 4   Cat\nb.jpg| 0| A dog\n",
    ),
    "lines of JSON": ("metadata.jsonl", lines("file_name", "text")),
    "a list of captions": (
        "metadata.jsonl",
        '{"file_name": "a.jpg", "text": ["A cat , asleep", "Cat"]}\n{"file_name": "b.jpg", "text": ["A dog"]}',
    ),
    "an array where lines are expected": (
        "metadata.jsonl",
        json.dumps([{"file_name": n, "text": t} for n, t in TABLE]),
    ),
    "captions by name": ("captions.json", json.dumps(CAT_AND_DOG, indent=1)),
    "sentences": (
        "captions.json",
        json.dumps([{"filename": n, "sentences": [{"raw": t} for t in texts]} for n, texts in CAT_AND_DOG.items()]),
    ),
    "Flickr30k's tokens": ("results_20130124.token", "a.jpg#0\tA cat , asleep\na.jpg#1\tCat\nb.jpg#0\tA dog\n"),
    "tokens in captions.txt": ("captions.txt", "a.jpg#0\tA cat , asleep\na.jpg#1\tCat\nb.jpg#0\tA dog\n"),
    "blanks for tabs": ("Flickr8k.token.txt", "a.jpg#0   A cat , asleep\na.jpg#1 Cat\nb.jpg#0 A dog\n"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_beside_the_photos(kind, tmp_path):
    name, text = TABLES[kind]
    write_photos(tmp_path, "a.jpg", "b.jpg")
    write(tmp_path / name, text)
    assert captions_of(tmp_path) == CAT_AND_DOG


FOLDERS = ["Images", "images", "Flicker8k_Dataset", "flickr30k-images", "flickr30k_images/flickr30k_images", "Photos"]


@pytest.mark.parametrize("inside", FOLDERS)
@pytest.mark.parametrize("kind", ["commas", "lines of JSON", "Flickr30k's tokens"])
def test_photos_in_the_usual_folders(inside, kind, tmp_path):
    name, text = TABLES[kind]
    write_photos(tmp_path / inside, "a.jpg", "b.jpg")
    write(tmp_path / name, text)
    assert captions_of(tmp_path) == CAT_AND_DOG


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32"]
CAFE = {"café 1.jpg": ("Ein Café – „schön“",)}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metadata.csv", "file_name,text\ncafé 1.jpg,Ein Café – „schön“\n"),
        ("metadata.jsonl", '{"file_name": "café 1.jpg", "text": "Ein Café – „schön“"}\n'),
        ("results_20130124.token", "café 1.jpg#0\tEin Café – „schön“\n"),
        ("café 1.txt", "Ein Café – „schön“\n"),
    ],
)
def test_encodings_with_a_mark_and_line_ends(encoding, line_end, name, text, tmp_path):
    write_photos(tmp_path, "café 1.jpg")
    write(tmp_path / name, text.replace("\n", line_end).encode(encoding))
    assert captions_of(tmp_path) == CAFE


def test_flickr8k_with_marks_and_names_with_blanks(tmp_path):
    write_photos(tmp_path / "Images", "a b.jpg", "c.jpg")
    write(tmp_path / "Flickr8k.token.txt", b"\xef\xbb\xbfa b.jpg#0\tOne\r\nc.jpg#0\tTwo\r\n")
    write(tmp_path / "Flickr_8k.trainImages.txt", b"\xef\xbb\xbfa b.jpg\r\nc.jpg\r\n")
    assert captions_of(tmp_path, ["train"]) == {"a b.jpg": ("One",), "c.jpg": ("Two",)}


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c"])
def test_only_a_line_feed_ends_a_line(separator, tmp_path):
    write_photos(tmp_path, "a.jpg")
    write(tmp_path / "metadata.jsonl", json.dumps({"file_name": "a.jpg", "text": f"A{separator}B"}, ensure_ascii=False))
    if separator in "\x0b\x1c":  # JSON escapes control characters
        write(tmp_path / "metadata.jsonl", f'{{"file_name": "a.jpg", "text": "A{json.dumps(separator)[1:-1]}B"}}')
    assert captions_of(tmp_path) == {"a.jpg": (f"A{separator}B",)}


def test_backslashes_in_names(tmp_path):
    write_photos(tmp_path, "pets/a.jpg")
    write(tmp_path / "metadata.csv", "file_name,text\npets\\a.jpg,A cat\n")
    assert captions_of(tmp_path) == {"a.jpg": ("A cat",)}


def test_a_column_of_splits(tmp_path):
    write_photos(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    write(tmp_path / "metadata.csv", "file_name,text,split\na.jpg,A,train\nb.jpg,B,val\nc.jpg,C,test\n")
    for split, name, caption in (("train", "a.jpg", "A"), ("dev", "b.jpg", "B"), ("test", "c.jpg", "C")):
        assert load_split(tmp_path, split) == [Example(tmp_path / name, (caption,))]


def karpathy(*names, **more):
    return json.dumps(
        {"images": [{"filename": n, "split": "train", "sentences": [{"raw": "A cat"}], **more} for n in names]}
    )


@pytest.mark.parametrize("place", ["train2014/a.jpg", "images/train2014/a.jpg", "a.jpg", "Images/a.jpg"])
def test_karpathy_beside_any_of_the_usual_folders(place, tmp_path):
    write(tmp_path / "dataset_coco.json", karpathy("a.jpg", filepath="train2014"))
    write_photos(tmp_path, place)
    assert load_split(tmp_path, "train") == [Example(tmp_path / place, ("A cat",))]


def test_of_several_files_the_one_with_photos_is_read_and_named(tmp_path, capsys):
    write(tmp_path / "dataset_coco.json", karpathy("COCO_1.jpg", filepath="train2014"))
    write(tmp_path / "dataset_flickr8k.json", karpathy("a.jpg"))
    write(tmp_path / "dataset_flickr30k.json", karpathy("b.jpg"))
    write_photos(tmp_path, "a.jpg")
    assert load_split(tmp_path, "train") == [Example(tmp_path / "a.jpg", ("A cat",))]
    said = capsys.readouterr().err
    assert f"Captions are read from {tmp_path / 'dataset_flickr8k.json'}" in said
    assert "dataset_coco.json" in said
    assert "dataset_flickr30k.json" in said
    write_photos(tmp_path, "b.jpg")
    assert load_split(tmp_path / "dataset_flickr30k.json", "train") == [Example(tmp_path / "b.jpg", ("A cat",))]


def test_of_several_layouts_one_is_read_and_named(tmp_path, capsys):
    write_photos(tmp_path, "a.jpg")
    write(tmp_path / "dataset_flickr8k.json", karpathy("a.jpg"))
    write(tmp_path / "captions.csv", "image,caption\na.jpg,Mine\n")
    assert captions_of(tmp_path) == {"a.jpg": ("A cat",)}
    assert "captions.csv" in capsys.readouterr().err
    assert captions_of(tmp_path / "captions.csv") == {"a.jpg": ("Mine",)}


@pytest.mark.parametrize(("year", "prefix"), [("2014", "COCO_{}2014_"), ("2017", "")])
@pytest.mark.parametrize("annotations", ["annotations", "."])
def test_coco_as_published(year, prefix, annotations, tmp_path):
    for part, numbers in (("train", range(3)), ("val", range(3, 40))):
        names = {number: f"{prefix.format(part)}{number:012}.jpg" for number in numbers}
        write_photos(tmp_path / f"{part}{year}", *names.values())
        content = {
            "images": [{"id": number, "file_name": name} for number, name in names.items()],
            "annotations": [
                {"image_id": n, "id": 10 * n + k, "caption": f"{n} {k}"} for k in range(2) for n in numbers
            ],
        }
        write(tmp_path / annotations / f"captions_{part}{year}.json", json.dumps(content))
    train, dev, test = (load_split(tmp_path, split) for split in ("train", "dev", "test"))
    assert [example.captions for example in train] == [(f"{n} 0", f"{n} 1") for n in range(3)]
    assert sorted(example.captions for example in dev + test) == sorted((f"{n} 0", f"{n} 1") for n in range(3, 40))
    assert len(dev) > 9
    assert len(test) > 9
    assert train[0].photo.parent == tmp_path / f"train{year}"
    chosen = tmp_path / annotations / f"captions_train{year}.json"
    assert load_split(chosen, "dev") == dev


@pytest.mark.parametrize("name", ["a.txt", "a.caption", "a.jpg.txt"])
def test_a_text_beside_each_photo(name, tmp_path):
    write_photos(tmp_path, "a.jpg")
    write(tmp_path / name, "A cat\n\n Asleep \n")
    assert captions_of(tmp_path) == {"a.jpg": ("A cat", "Asleep")}


def test_texts_beside_photos_in_folders_of_splits(tmp_path):
    for folder in ("train", "val", "test"):
        write_photos(tmp_path / folder, f"{folder}.jpg")
        write(tmp_path / folder / f"{folder}.txt", folder)
    for split, folder in (("train", "train"), ("dev", "val"), ("test", "test")):
        assert load_split(tmp_path, split) == [Example(tmp_path / folder / f"{folder}.jpg", (folder,))]


@pytest.fixture
def two_photos(tmp_path):
    """A photo of 12x8 and one of 6x4, as files outside of the data set, and their captions."""
    for name, size in (("one.png", (12, 8)), ("two.png", (6, 4))):
        Image.new("RGB", size, "red").save(tmp_path / name)
    return [str(tmp_path / "one.png"), str(tmp_path / "two.png")], [["A cat", "Cat"], ["A dog"]]


def sizes_and_captions(examples):
    return [(np.asarray(Image.open(each.photo)).shape[:2], each.captions) for each in examples]


EXPECTED = [((8, 12), ("A cat", "Cat")), ((4, 6), ("A dog",))]


@pytest.mark.parametrize("splits", [True, False])
def test_a_folder_saved_by_datasets(splits, two_photos, tmp_path):
    datasets = pytest.importorskip("datasets")
    photos, captions = two_photos
    made = datasets.Dataset.from_dict({"image": photos, "captions": captions}).cast_column("image", datasets.Image())
    made = made.map(lambda each: each)  # holds the photos themselves
    folder = tmp_path / "saved"
    if splits:
        datasets.DatasetDict({"train": made, "validation": made, "test": made}).save_to_disk(folder)
        for split in ("train", "dev", "test"):
            assert sizes_and_captions(load_split(folder, split)) == EXPECTED
    else:
        made.save_to_disk(folder)
        found = [example for captions in captions_of(folder).values() for example in [captions]]
        assert sorted(found) == [("A cat", "Cat"), ("A dog",)]


@pytest.mark.parametrize("inside", [".", "data"])
def test_parquet(inside, two_photos, tmp_path):
    datasets = pytest.importorskip("datasets")
    photos, captions = two_photos
    records = {
        "image": [{"bytes": Path(photo).read_bytes(), "path": None} for photo in photos],
        "sentence_0": [texts[0] for texts in captions],
        "sentence_1": [texts[1] if texts[1:] else "" for texts in captions],
    }
    made = datasets.Dataset.from_dict(records)
    folder = tmp_path / "parquet"
    (folder / inside).mkdir(parents=True, exist_ok=True)
    for number in range(2):
        made.select([number]).to_parquet(folder / inside / f"train-0000{number}-of-00002.parquet")
    made.to_parquet(folder / inside / "test-00000-of-00001.parquet")
    assert sizes_and_captions(load_split(folder, "train")) == EXPECTED
    assert sizes_and_captions(load_split(folder, "test")) == EXPECTED
    assert len(list((folder / "extracted").iterdir())) == 2  # each photo once
