"""Whatever is wrong with captions is said in one sentence, with the file, the line and what to do."""

import json
import sys

import pytest
from support.datasets import captions_of, write, write_photos

from train.data.datasets import load_split
from train.data.errors import DataError
from train.data.rows import Row, clean_captions

HEAD = "file_name,text\n"
CSV, LINES, TOKENS, KARPATHY, COCO = (
    "metadata.csv", "metadata.jsonl", "results_20130124.token", "dataset_x.json", "annotations/captions_train2017.json",
)  # fmt: skip
IMAGE = {"filename": "a.jpg", "split": "train", "sentences": [{"raw": "A cat"}]}


def images(*changed):
    return json.dumps({"images": [{**IMAGE, **change} for change in changed]})


def without(key):
    return json.dumps({"images": [{name: value for name, value in IMAGE.items() if name != key}]})


def coco(annotations):
    return json.dumps({"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": annotations})


# The file, what is in it, and what is said after its name.
DAMAGED = {
    "commas without quotes": (CSV, HEAD + "a.jpg,A dog, a cat, and a boy\n",
        ", line 2: 4 fields for 2 columns; put double quotation marks around every caption that contains a comma."),
    "semicolons without quotes": (CSV, "file_name;text\na.jpg;A dog; a cat\n",
        ", line 2: 3 fields for 2 columns; put double quotation marks around every caption that contains a semicolon."),
    "one comma too many, far below": (CSV, HEAD + "a.jpg,A\n" * 99 + "b.jpg,A, b\n", ", line 101: 3 fields for 2 columns;"),
    "a quote that never closes": (CSV, HEAD + 'a.jpg,"A dog\nb.jpg,A cat\n', ", line 2: a quotation mark opens a caption"),
    "a quote that the next one closes": (CSV, HEAD + 'a.jpg,A\nb.jpg,"A dog\nc.jpg,"A cat"\n', ", line 3: a quotation mark"),
    "a quote that swallows rows": (CSV, HEAD + 'a.jpg,"A dog\nb.jpg,A cat\nc.jpg,A cow"\n', ", line 2: a quotation mark"),
    "a quote in a quote": (CSV, HEAD + 'a.jpg,"A "big" dog"\n', ", line 2: a quotation mark"),
    "cp1252 in a table": (CSV, (HEAD + "a.jpg,A\nb.jpg,Café\n").encode("cp1252"),
        ", line 3: the byte 0xE9 is not UTF-8; save the file in UTF-8."),
    "cp1252 in lines": (LINES, '{"file_name": "a.jpg", "text": "Café"}'.encode("cp1252"), ", line 1: the byte 0xE9"),
    "cp1252 in tokens": (TOKENS, "a.jpg#0\tA\n\nb.jpg#0\tCafé".encode("cp1252"), ", line 3: the byte 0xE9"),
    "cp1252 beside a photo": ("a.txt", "A\nCafé".encode("cp1252"), ", line 2: the byte 0xE9"),
    "half of UTF-16": (CSV, (HEAD + "a.jpg,A\n").encode("utf-16")[:-1], ": the byte"),
    "UTF-16 without a mark": (CSV, (HEAD + "a.jpg,A\n").encode("utf-16-le"), ", line 1: a NUL character"),
    "a zero": (CSV, HEAD + "a.jpg,A\nb.jpg,A\0B\n", ", line 3: a NUL character"),
    "a spreadsheet": (CSV, b"PK\x03\x04...", " is a spreadsheet or a zip archive: save it as text (CSV UTF-8), or unpack it."),
    "an old spreadsheet": (CSV, b"\xd0\xcf\x11\xe0...", " is a spreadsheet: save it as text (CSV UTF-8)."),
    "compressed": (LINES, b"\x1f\x8b...", " is compressed: unpack it."),
    "a pointer": (LINES, "version https://git-lfs.github.com/spec/v1\n", " is only a pointer to the file: fetch the file"),
    "a web page": (CSV, "<!DOCTYPE html><html>", " is a web page: download the file itself."),
    "no header": (CSV, "a.jpg,A dog\nb.jpg,A cat\n", " needs the columns file_name and text"),
    "other columns": (CSV, "id,title\n1,A\n", "named in its first line or in every record; it has id; title."),
    "columns in no record": (LINES, '{"id": 1}', " needs the columns file_name and text"),
    "a row without a photo": (CSV, HEAD + "a.jpg,A\n,A dog\n", ", line 3: there is no name of a photo in file_name."),
    "a number for a photo": (LINES, '{"file_name": 7, "text": "A"}', ", line 1: there is no name of a photo in file_name."),
    "a number for a caption": (LINES, '{"file_name": "a.jpg", "text": 7}',
        ", line 1: the caption must be text or a list of texts, not 7."),
    "an object for a caption": (LINES, '{"file_name": "a.jpg", "text": {"en": "A"}}', "not {\"en\": \"A\"}."),
    "an unknown split": (CSV, "file_name,text,split\na.jpg,A,holdout\n",
        ", line 2: \"holdout\" is no split; train, dev and test are."),
    "a line that is no JSON": (LINES, '{"file_name": "a.jpg", "text": "A"}\nfile_name: b.jpg\n', ", line 2: this is not JSON"),
    "a line that breaks off": (LINES, '{"file_name": "a.jpg", "text": "A"}\n{"file_name": "b.jpg", "te',
        ", line 2: the JSON breaks off here; the file may be cut short, so copy or download it again."),
    "a list in a line": (LINES, '{"file_name": "a.jpg", "text": "A"}\n["b.jpg", "B"]\n',
        ', line 2: ["b.jpg", "B"] stands where an object {...} belongs.'),
    "endless brackets": (LINES, '{"file_name": ' + "[" * 100_000, ", line 1: the JSON is nested too deeply"),
    "an endless number": (LINES, '{"file_name": "a.jpg", "text": "A", "id": ' + "9" * 5000 + "}", "or has a number that is too long."),
    "half a character": (LINES, '{"file_name": "a.jpg", "text": "A \\ud83d dog"}',
        ", line 1: \\ud83d is half a character; remove it from the caption."),
    "no number sign": (TOKENS, "a.jpg#0\tA\nb.jpg A dog\n",
        ", line 2: this line needs a photo's name, # and a number, a tab and a caption, as in `dog.jpg#0<tab>A dog`."),
    "Karpathy's, cut": (KARPATHY, images({})[:-20], ", line 1: the JSON breaks off here"),
    "Karpathy's, a list": (KARPATHY, "[]", ": [] stands where an object {...} belongs."),
    "Karpathy's, no images": (KARPATHY, '{"photos": []}', ': \'images\' is missing; there is ["photos"].'),
    "Karpathy's, no sentences": (KARPATHY, without("sentences"), ", image 1: 'sentences' is missing"),
    "Karpathy's, no split": (KARPATHY, without("split"), ", image 1: 'split' is missing"),
    "Karpathy's, no name": (KARPATHY, without("filename"), ", image 1: 'filename' is missing"),
    "Karpathy's, another split": (KARPATHY, images({}, {"split": "mine"}), ", image 2: \"mine\" is no split; train, restval,"),
    "Karpathy's, a bare sentence": (KARPATHY, images({"sentences": ["A cat"]}),
        ', image 1: "A cat" stands where an object {...} belongs.'),
    "Karpathy's, an empty sentence": (KARPATHY, images({"sentences": [{}]}), ", image 1: 'raw' is missing; there is []."),
    "COCO's, no caption": (COCO, coco([{"image_id": 1}]), ", annotation 1: 'caption' is missing"),
    "COCO's, no image": (COCO, coco([{"image_id": 1, "caption": "A"}, {"image_id": 2, "caption": "B"}]),
        ", annotation 2: there is no image 2."),
    "COCO's, no annotations": (COCO, json.dumps({"images": []}), ": 'annotations' is missing"),
    "a damaged Parquet file": ("data.parquet", b"PAR1" * 9, " cannot be read by the package datasets:"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_captions(kind, tmp_path):
    name, content, said = DAMAGED[kind]
    write_photos(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    path = write(tmp_path / name, content)
    with pytest.raises(DataError) as caught:
        captions_of(tmp_path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert said in message
    assert "\n" not in message
    assert message.endswith(".") or "package datasets" in message


# A photo without a caption, or a caption without a photo: where it is said to be.
LACKING = {
    "a row without text": (CSV, HEAD + "a.jpg,A\nb.jpg,\n", "b.jpg", ", line 3"),
    "a shorter row": (CSV, HEAD + "a.jpg,A\nb.jpg\n", "b.jpg", ", line 3"),
    "blanks for text": (LINES, '{"file_name": "b.jpg", "text": "  "}', "b.jpg", ", line 1"),
    "nothing for text": (LINES, '{"file_name": "b.jpg", "text": null}', "b.jpg", ", line 1"),
    "no key for text": (LINES, '{"file_name": "a.jpg", "text": "A"}\n{"file_name": "b.jpg"}', "b.jpg", ", line 2"),
    "an empty list": (LINES, '{"file_name": "b.jpg", "text": []}', "b.jpg", ", line 1"),
    "a token without text": (TOKENS, "a.jpg#0\tA\nb.jpg#0\t\n", "b.jpg", ", line 2"),
    "Karpathy's without sentences": (
        KARPATHY,
        images({}, {"filename": "b.jpg", "sentences": []}),
        "b.jpg",
        ", image 2",
    ),
    "COCO's without annotations": (COCO, coco([]), "a.jpg", ", image 1"),
    "a photo without a text beside it": ("a.txt", "A", "b.jpg", "b.jpg."),
    "a photo that is not there": (CSV, HEAD + "a.jpg,A\nz.jpg,B\n", "z.jpg", ", line 3"),
    "a name that no file can have": (LINES, '{"file_name": "\\u0000", "text": "A"}', "", ", line 1"),
    "a name that is too long": (CSV, HEAD + "z" * 300 + ".jpg,A\n", "z" * 50, ", line 2"),
    "a folder for a photo": (CSV, HEAD + "..,A\n", "..", ", line 2"),
}


@pytest.mark.parametrize("kind", LACKING)
def test_photos_and_captions_that_lack_each_other(kind, tmp_path, capsys):
    name, content, photo, place = LACKING[kind]
    write_photos(tmp_path, "a.jpg", "b.jpg")
    write(tmp_path / name, content)
    with pytest.raises(DataError) as caught:
        captions_of(tmp_path)
    message = str(caught.value)
    assert message.startswith(("No caption for 1 of the", "No file for 1 of the"))
    assert photo in message
    assert place in message
    assert "--skip-bad" in message
    capsys.readouterr()
    try:
        left = captions_of(tmp_path, skip_bad=True)
    except DataError as error:
        assert "Nothing is left." in str(error)  # noqa: PT017
    else:
        assert list(left) == ["a.jpg"]
        assert "They are left out." in capsys.readouterr().err


def test_flickr8k_photos_without_captions_are_named(tmp_path):
    write_photos(tmp_path, "a.jpg", "b.jpg")
    write(tmp_path / "Flickr8k.token.txt", "a.jpg#0\tA\n")
    listed = write(tmp_path / "Flickr_8k.trainImages.txt", "a.jpg\nb.jpg\n")
    with pytest.raises(DataError) as caught:
        load_split(tmp_path, "train")
    assert str(caught.value).startswith(
        f"No caption for 1 of the 2 train photos: {tmp_path / 'b.jpg'} ({listed}, line 2)."
    )
    assert captions_of(tmp_path, ["train"], skip_bad=True) == {"a.jpg": ("A",)}


def test_many_faults_are_counted_and_the_first_are_named(tmp_path):
    write_photos(tmp_path, "a.jpg")
    write(
        tmp_path / "metadata.csv",
        "file_name,text,split\na.jpg,A,train\n" + "".join(f"{n}.jpg,B,train\n" for n in range(9)),
    )
    with pytest.raises(
        DataError, match=r"^No file for 9 of the 10 train photos: .*0\.jpg.*4\.jpg.*; and 4 more\. Correct"
    ):
        load_split(tmp_path, "train")


def test_empty_rows_are_skipped_and_counted(tmp_path, capsys):
    write_photos(tmp_path, "a.jpg")
    write(tmp_path / "metadata.csv", HEAD + "a.jpg,A\n\n,\n,\n \n,,,\n")
    assert captions_of(tmp_path) == {"a.jpg": ("A",)}
    assert "metadata.csv, line 4: this row is empty, as are 3 others; they are skipped." in capsys.readouterr().err


def test_captions_with_line_breaks_are_told_and_joined(tmp_path, capsys):
    write_photos(tmp_path, "a.jpg", "b.jpg")
    path = write(tmp_path / "metadata.csv", HEAD + 'a.jpg,"A dog\nand a cat"\nb.jpg,B\n')
    assert captions_of(tmp_path) == {"a.jpg": ("A dog and a cat",), "b.jpg": ("B",)}
    assert capsys.readouterr().err == f"{path}: captions with line breaks, read as one line each: line 2.\n"


def test_captions_that_are_much_longer_than_usual_are_told(tmp_path, capsys):
    rows = [
        Row(tmp_path, caption, tmp_path / "x.csv", n) for n, caption in enumerate(["a b"] * 9 + ["a " * 6, "a " * 7], 2)
    ]
    assert [row.caption for row in clean_captions(rows)][-1] == "a a a a a a a"
    expected = f"{tmp_path / 'x.csv'}: captions more than 3 times as long as usual (2 words), please check: line 12 (7 words).\n"
    assert capsys.readouterr().err == expected


def test_a_data_set_too_small_for_its_splits_says_so(tmp_path):
    write_photos(tmp_path, "a.jpg")
    write(tmp_path / "metadata.csv", HEAD + "a.jpg,A\n")
    empty = "test" if captions_of(tmp_path, ["dev"]) else "dev"
    expected = f"There are no photos in the {empty} split, which gets one photo in ten by file name; {tmp_path} has too few: add"
    with pytest.raises(DataError) as caught:
        load_split(tmp_path, empty)
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize("content", ["", HEAD, "\n\n"])
def test_empty_tables(content, tmp_path):
    write(tmp_path / "metadata.csv", content)
    with pytest.raises(DataError, match="There are no photos in the train split of"):
        load_split(tmp_path, "train")


def test_a_data_set_one_folder_below_is_pointed_to(tmp_path):
    write_photos(tmp_path / "flickr8k", "a.jpg")
    write(tmp_path / "flickr8k/captions.txt", "image,caption\na.jpg,A\n")
    with pytest.raises(DataError, match=f"There is one in {tmp_path / 'flickr8k'}"):
        load_split(tmp_path, "train")


def test_a_file_in_no_layout_is_refused(tmp_path):
    write_photos(tmp_path, "a.jpg")
    write(tmp_path / "metadata.csv", HEAD + "a.jpg,A\n")
    with pytest.raises(DataError, match=r"notes\.txt holds no data set"):
        load_split(write(tmp_path / "notes.txt", "Hello"), "train")


def test_without_the_package_datasets_its_installation_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    path = write(tmp_path / "x.parquet", b"PAR1")
    with pytest.raises(DataError) as caught:
        load_split(tmp_path, "train")
    assert str(caught.value) == f"{path} needs the package datasets: pip install datasets."


@pytest.mark.parametrize("name", [COCO, KARPATHY])
def test_names_with_half_a_character(name, tmp_path):
    """COCO's are divided among dev and test by name."""
    of_coco = {"images": [{"id": 1, "file_name": "\ud800.jpg"}], "annotations": [{"image_id": 1, "caption": "A"}]}
    content = json.dumps(of_coco) if name == COCO else images({"filename": "\ud800.jpg", "split": "val"})
    write(tmp_path / name.replace("train", "val"), content)
    with pytest.raises(DataError, match=r"^No file for 1 of the 1 (dev|test) photos"):
        captions_of(tmp_path, ["dev", "test"])
