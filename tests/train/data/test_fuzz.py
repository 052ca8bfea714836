"""Data sets of every layout, damaged at random: they are read, or refused in one sentence. Never a traceback."""

import json
import warnings

import numpy as np
import pytest
from support.datasets import write_photos

from train.data.datasets import Example, load_split
from train.data.errors import DataError

SEEDS = {
    "metadata.csv": b'file_name,text\na.jpg,"A dog, asleep"\nb.jpg,A cat\nb.jpg,"A ""cat"""\n',
    "metadata.tsv": b"file_name\ttext\na.jpg\tA dog\nb.jpg\tA cat\n",
    "metadata.jsonl": b'{"file_name": "a.jpg", "text": "A dog"}\n{"file_name": "b.jpg", "text": ["A cat", "Cat"]}\n',
    "captions.json": b'{"a.jpg": ["A dog"], "b.jpg": ["A cat", "Cat"]}',
    "captions.txt": b"image,caption\na.jpg,A dog\nb.jpg,A cat\n",
    "results.csv": b"image_name| comment_number| comment\na.jpg| 0| A dog\nb.jpg| 4   A cat\n",
    "results_20130124.token": b"a.jpg#0\tA dog\nb.jpg#0\tA cat\n",
    "dataset_x.json": json.dumps(
        {"images": [{"filename": f"{n}.jpg", "split": "train", "sentences": [{"raw": "A dog"}]} for n in "ab"]}
    ).encode(),
    "captions_train2017.json": json.dumps(
        {
            "images": [{"id": n, "file_name": f"{name}.jpg"} for n, name in enumerate("ab")],
            "annotations": [{"image_id": n, "caption": "A dog"} for n in range(2)],
        }
    ).encode(),
    "a.txt": b"A dog\nA cat\n",
}
# What has broken readers of text before: quotes, separators, marks of encodings, half characters, numbers, brackets.
PIECES = [
    b'"', b'""', b",", b";", b"\t", b"|", b"\n", b"\r", b"\n\n", b"#", b"#0\t", b"\\", b"\\u0000", b"\\ud800", b"[", b"]", b"{",
    b"}", b":", b"null", b"1e999", b"NaN", b"-", b"9" * 5000, b"[" * 5000, b"\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff",
    b"\xe9", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\x85", b"\x1c", b"../", b"/", b"a.jpg", b"z" * 300, b" ", b"PK\x03\x04", b"text",
]  # fmt: skip


def damage(data: bytes, random: np.random.Generator) -> bytes:
    """The data after a few random changes."""
    for _ in range(random.integers(1, 4)):
        first, last = sorted(random.integers(0, len(data) + 1, 2))
        last = min(last, first + int(random.integers(1, 30)))
        change = random.integers(5)
        if change == 0:  # something inserted
            data = data[:first] + PIECES[random.integers(len(PIECES))] + data[first:]
        elif change == 1:  # something lost
            data = data[:first] + data[last:]
        elif change == 2:  # cut short
            data = data[:first]
        elif change == 3:  # something twice
            data = data[:last] + data[first:]
        else:  # another byte
            data = data[:first] + bytes([random.integers(256)]) + data[first + 1 :]
    return data


def check(rounds: int, folder, seed: int) -> None:
    random = np.random.default_rng(seed)
    write_photos(folder, "a.jpg", "b.jpg")
    outcomes = {"read": 0, "refused": 0}
    for _ in range(rounds):
        name = list(SEEDS)[random.integers(len(SEEDS))]
        path = folder / name
        path.write_bytes(damage(SEEDS[name], random))
        try:
            with warnings.catch_warnings(action="error"):
                examples = load_split(folder, "train", skip_bad=bool(random.integers(2)))
        except DataError as error:
            message = str(error)
            assert "\n" not in message
            assert len(message) < 3000
            outcomes["refused"] += 1
        else:
            assert examples
            for example in examples:
                assert isinstance(example, Example)
                assert example.photo.is_file()
                assert all(caption.strip() and caption.encode() for caption in example.captions)
            outcomes["read"] += 1
        path.unlink()
    assert min(outcomes.values()) > rounds // 20, outcomes


def test_damaged_at_random(tmp_path):
    check(300, tmp_path, seed=0)


@pytest.mark.slow
def test_damaged_at_random_ten_thousand_times(tmp_path):
    check(10_000, tmp_path, seed=1)
