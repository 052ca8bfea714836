"""Lists and reads the photos for `capmodel.bulk`: single files, rows of Parquet files, members of webdataset shards.

Listing gives each photo its place and a key that is the same in every run. It reads only names, key columns and the
headers of shards. Reading takes places, in any process that sees the same file system.
"""

import logging
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from capmodel.photo_files import left_out, read_folder
from capmodel.photos import PhotoError, PhotoSource

IMAGE_COLUMNS = ("image", "bytes")  # the first that exists
KEY_COLUMN = "key"
MEMBERS = frozenset({"jpg", "jpeg", "png", "webp"})  # suffixes of the photo in a webdataset sample
SHARDS = (".parquet", ".tar")  # files with many photos
ROWS_AT_ONCE = 32  # rows of a Parquet file held in memory

log = logging.getLogger(__name__)


class SourceError(ValueError):
    """The sources cannot be used as they are; the message says why in one sentence."""


class Place(NamedTuple):
    """Where an encoded photo is stored.

    Attributes:
        file: absolute path, as bytes, because not every file name is valid text.
        column: the photo's column in a Parquet file; else empty.
        position: the row in a Parquet file, or the first byte in a shard; else 0.
        size: the number of bytes in a shard; else 0.
    """

    file: bytes
    column: str = ""
    position: int = 0
    size: int = 0


def list_source(
    source: Path, out: Path, image_column: str | None = None, key_column: str | None = None
) -> Iterator[tuple[str, Place]]:
    """Yields every photo of a source with its key, sorted by file, then in the file's own order.

    The key of a single file is its path below the folder; of a row, the value in the key column, else ``FILE:ROW``;
    of a shard's member, ``SHARD/KEY``.

    Args:
        source: a photo, a ``.parquet`` file, a ``.tar`` shard, or a folder with any of them, at any depth.
        out: the folder for the results, which is skipped.
        image_column: in Parquet files: binary, or a struct with a binary ``bytes``, as in Hugging Face data
            sets. None: the first of `IMAGE_COLUMNS`.
        key_column: in Parquet files. None: `KEY_COLUMN` if it exists.

    Raises:
        SourceError: a file is missing or damaged, or a Parquet file given as source lacks the column.
    """
    source, out = source.resolve(), out.resolve()
    if not source.is_dir():
        yield from _list_file(source, source.name, image_column, key_column)
        return
    contents = read_folder(source, also=SHARDS, without=out)
    for line in left_out([contents]):
        log.warning("%s", line)
    for path in contents.photos:
        try:
            yield from _list_file(path, path.relative_to(source).as_posix(), image_column, key_column)
        except _NoColumnError as error:  # such as the tables of addresses beside downloaded shards
            log.warning("Left out: %s", error)


def read_places(places: Sequence[Place]) -> Iterator[PhotoSource | PhotoError]:
    """Yields a source for `load_photo`, or an error, for each place in the same order.

    Raises:
        OSError: a shard or a Parquet file can no longer be read.
    """
    for (name, column), found in groupby(places, key=lambda place: (place.file, place.column)):
        path, group = Path(os.fsdecode(name)), list(found)
        if column:
            yield from _read_rows(path, column, [place.position for place in group])
        elif path.suffix.lower() == ".tar":
            with path.open("rb") as shard:
                for place in group:
                    shard.seek(place.position)
                    yield shard.read(place.size)
        else:
            yield from (path for _ in group)


class _NoColumnError(SourceError):
    pass


def _list_file(path: Path, name: str, image_column: str | None, key_column: str | None) -> Iterable[tuple[str, Place]]:
    name = name.encode("utf-8", "backslashreplace").decode()  # a key must be text, even if the file name is not
    if not path.is_file():
        raise SourceError(f"{path} does not exist.")
    if path.suffix.lower() == ".parquet":
        return _list_rows(path, name, image_column, key_column)
    if path.suffix.lower() == ".tar":
        return _list_members(path, name)
    return [(name, Place(os.fsencode(path)))]


def _list_rows(path: Path, name: str, image_column: str | None, key_column: str | None) -> Iterator[tuple[str, Place]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            columns = [
                column for column in ([image_column] if image_column else IMAGE_COLUMNS) if _photos(file, column)
            ]
            if not columns:
                wanted = " or ".join([image_column] if image_column else IMAGE_COLUMNS)
                raise _NoColumnError(f"{path} has no column {wanted} with the bytes of photos; see --image-column.")
            if key_column and key_column not in file.schema_arrow.names:
                raise _NoColumnError(f"{path} has no column {key_column}.")
            key = key_column or KEY_COLUMN
            keys = iter(())
            if key in file.schema_arrow.names:
                keys = (value for batch in file.iter_batches(columns=[key]) for value in batch.column(0).to_pylist())
            for row in range(file.metadata.num_rows):
                value = next(keys, None)
                place = Place(os.fsencode(path), columns[0], row)
                yield (f"{name}:{row}" if value is None else str(value)), place
    except pyarrow.ArrowException as error:
        raise SourceError(f"{path} cannot be read as Parquet: {error}") from error


def _photos(file, column: str) -> bool:
    """Whether a Parquet file has this column, with bytes in it."""
    from pyarrow import types

    if column not in file.schema_arrow.names:
        return False
    kind = file.schema_arrow.field(column).type
    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    return types.is_binary(kind) or types.is_large_binary(kind)


def _list_members(path: Path, name: str) -> Iterator[tuple[str, Place]]:
    before = None
    try:
        # No outer compression: photos are compressed already, and members can be read one by one.
        with tarfile.open(path, "r:") as shard:
            while member := shard.next():
                shard.members = []  # pyright: ignore[reportAttributeAccessIssue]  # undocumented; else it keeps all
                folder, _, base = member.name.rpartition("/")
                key, _, kind = base.partition(".")
                key = f"{folder}/{key}" if folder else key
                # Members of a sample are adjacent; if it has two photos, take the first.
                if member.isfile() and kind.lower() in MEMBERS and key != before:
                    before = key
                    text = f"{name}/{key}".encode("utf-8", "backslashreplace").decode()
                    yield text, Place(os.fsencode(path), "", member.offset_data, member.size)
    except tarfile.TarError as error:
        raise SourceError(f"{path} cannot be read as a tar shard: {error}") from error


def _read_rows(path: Path, column: str, rows: list[int]) -> Iterator[bytes | PhotoError]:
    from pyarrow import parquet

    wanted, found, first = set(rows), {}, 0
    with parquet.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            after = first + file.metadata.row_group(group).num_rows
            if wanted.isdisjoint(range(first, after)):
                first = after
                continue
            for batch in file.iter_batches(ROWS_AT_ONCE, [group], [column]):
                for row in wanted.intersection(range(first, first + len(batch))):
                    found[row] = batch.column(0)[row - first].as_py()
                first += len(batch)
    for row in rows:
        value = found.get(row)
        value = value["bytes"] if isinstance(value, dict) else value
        yield PhotoError("This row holds no photo.") if value is None else value
