"""Parquet files, or a folder that the package datasets has saved; the package reads them.

Photos inside of them are written to the folder ``extracted`` beside them, once: everything else here reads files.
"""

import hashlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from train.data.columns import Columns
from train.data.errors import DataError, at
from train.data.photo_folders import PhotoFolders
from train.data.rows import Row, split_named

SAVED = ("dataset_dict.json", "state.json")
EXTRACTED = "extracted"


def find(folder: Path) -> list[Path]:
    saved = [folder / name for name in SAVED if (folder / name).is_file()]
    return saved or [*sorted(folder.glob("*.parquet")), *sorted(folder.glob("data/*.parquet"))][:1]


def read(file: Path, folder: Path, split: str) -> Iterator[Row]:
    try:
        import datasets
    except ImportError as error:
        raise DataError(f"{file} needs the package datasets: pip install datasets.") from error
    try:
        if file.suffix != ".parquet":
            loaded = datasets.load_from_disk(str(folder))
            parts = dict(loaded) if isinstance(loaded, datasets.DatasetDict) else {"": loaded}
        else:
            files = sorted(str(each) for each in file.parent.glob("*.parquet"))
            groups = {
                name: list(group) for name, group in groupby(files, lambda each: Path(each).name.partition("-")[0])
            }
            parts = {name: datasets.Dataset.from_parquet(group) for name, group in groups.items()}
    except Exception as error:  # the package raises errors of many kinds for damaged files
        raise DataError(f"{file} cannot be read by the package datasets: {error}") from error
    for name, part in parts.items():
        own = split_named(name)
        if own in (None, split):
            place = file.with_name(f"{name}*.parquet") if file.suffix == ".parquet" else folder / name
            yield from _rows(part, place, folder, own)


def _rows(part: Any, file: Path, folder: Path, split: str | None) -> Iterator[Row]:
    import datasets

    columns = Columns.find(part.column_names, file)
    if isinstance(part.features[columns.photo], datasets.Image):
        part = part.cast_column(columns.photo, datasets.Image(decode=False))  # the bytes as they are
    photos = PhotoFolders(folder)
    for number, record in enumerate(part, 1):
        where = f"record {number}"
        photo = _photo(record[columns.photo], folder, photos, at(file, where))
        own = split or columns.split_in(record, file, where)
        for caption in columns.captions_in(record, file, where):
            yield Row(photo, caption, file, where, own)


def _photo(value: Any, folder: Path, photos: PhotoFolders, place: str) -> Path:
    if isinstance(value, str):
        return photos.find(value)
    data, name = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (None, None)
    if data is None:
        if not name:
            raise DataError(f"{place}: there is no photo.")
        return photos.find(name)
    # Named by content: names are missing in some data sets, and the same for different photos in others.
    suffix = Path(name or "").suffix or ".jpg"
    path = folder / EXTRACTED / f"{hashlib.sha256(data).hexdigest()[:32]}{suffix}"
    if not path.is_file() or path.stat().st_size != len(data):
        try:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror}.") from error
    return path
