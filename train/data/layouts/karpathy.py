"""Karpathy's splits of Flickr8k, Flickr30k and COCO: ``dataset_*.json`` beside the photos.

Karpathy & Fei-Fei (2015), "Deep Visual-Semantic Alignments for Generating Image Descriptions".
"""

from collections.abc import Iterator
from pathlib import Path

from train.data.errors import DataError, at, quoted
from train.data.json_files import expect, member, read_json
from train.data.photo_folders import PhotoFolders
from train.data.rows import Row, split_named

OTHERS = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json")  # those of the package datasets


def find(folder: Path) -> list[Path]:
    files = [*folder.glob("dataset.json"), *sorted(folder.glob("dataset_*.json"))]
    return [file for file in files if file.name not in OTHERS]


def read(file: Path, folder: Path, split: str) -> Iterator[Row]:
    photos = PhotoFolders(folder)
    images = member(read_json(file), "images", list, file, None)
    for number, image in enumerate(images, 1):
        where = f"image {number}"
        name = member(image, "filename", str, file, where)
        named = member(image, "split", str, file, where)
        if (own := split_named(named)) is None:
            raise DataError(f"{at(file, where)}: {quoted(named)} is no split; train, restval, val and test are.")
        if own != split:
            continue
        inside = expect(image.get("filepath", ""), str, file, where)
        photo = photos.find(f"{inside}/{name}", name) if inside else photos.find(name)
        sentences = member(image, "sentences", list, file, where)
        for sentence in sentences:
            caption = member(sentence, "raw", str, file, where)
            yield Row(photo, caption, file, where, split)
        if not sentences:
            yield Row(photo, "", file, where, split)
