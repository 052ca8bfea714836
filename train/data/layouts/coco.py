"""COCO Captions as published: ``annotations/captions_train2017.json`` and ``captions_val2017.json``, or 2014.

Chen et al. (2015), "Microsoft COCO Captions: Data Collection and Evaluation Server". Captions of the test photos are
not published, so the validation photos are divided in halves by file name: one for dev, one for test.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from train.data.errors import DataError, at
from train.data.json_files import member, read_json
from train.data.photo_folders import PhotoFolders
from train.data.rows import Row, pick_by_name

TRAIN, VALIDATION = "captions_train", "captions_val"


def find(folder: Path) -> list[Path]:
    files = [*sorted(folder.glob("annotations/captions_*.json")), *sorted(folder.glob("captions_*.json"))]
    return [file for file in files if file.name.startswith(TRAIN)] + [
        file
        for file in files
        if file.name.startswith(VALIDATION) and not file.with_name(file.name.replace(VALIDATION, TRAIN)).is_file()
    ]


def read(file: Path, folder: Path, split: str) -> Iterator[Row]:
    year = file.name.removeprefix(TRAIN).removeprefix(VALIDATION)
    file = file.with_name((TRAIN if split == "train" else VALIDATION) + year)
    if not file.is_file():
        raise DataError(f"{file} is missing, which holds COCO's captions for the {split} split.")
    content = read_json(file)
    captions = defaultdict(list)
    for number, annotation in enumerate(member(content, "annotations", list, file, None), 1):
        where = f"annotation {number}"
        image = member(annotation, "image_id", int, file, where)
        captions[image].append((member(annotation, "caption", str, file, where), where))
    photos = PhotoFolders(folder)
    for number, image in enumerate(member(content, "images", list, file, None), 1):
        where = f"image {number}"
        name = member(image, "file_name", str, file, where)
        found = captions.pop(member(image, "id", int, file, where), [("", where)])
        if split != "train" and pick_by_name(name, ("dev", "test")) != split:
            continue
        photo = photos.find(name)
        for caption, place in found:
            yield Row(photo, caption, file, place, split)
    for image, [(_, place), *_] in captions.items():
        raise DataError(f"{at(file, place)}: there is no image {image}.")
