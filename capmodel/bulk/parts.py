"""Divides the work of `capmodel.bulk` into parts, so that no photo is lost or captioned into two files.

Ray repeats a task when its worker dies, perhaps after the task has written its result, and a worker may outlive a
killed run for some seconds. So every step here can safely be repeated:

1. The plan, one file, assigns each key to one part. It is written before any work, replaced as a whole, and only grows
   at its end: part 17 has the same keys in every run.
2. Part 17 has one file, ``part-000017.parquet``, with exactly these keys. It is written under another name, forced to
   disk and then renamed, which is atomic. Writing it twice replaces it.

It follows from 1 and 2 that a key is in at most one file at any moment, and in exactly one when each part has its file.
A run processes the parts without a file. Only one run at a time may use a folder: two would both write the plan if they
found new photos.
"""

import json
import os
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from uuid import uuid4

import numpy as np
import torch

from capmodel.bulk.sources import SourceError
from capmodel.caption import Caption
from capmodel.captioner import Captioner
from capmodel.decoding.options import DecodeOptions
from capmodel.photos import PhotoError

PLAN = "_plan.parquet"  # readers of Parquet folders skip names that begin with _ or a dot
SETTINGS = b"capmodel.bulk"  # key in the plan's metadata for the settings that the results depend on


def update_plan(out: Path, settings: dict, sources: Iterable[Iterable[str]], size: int) -> list[list[str]]:
    """Reads the plan and appends the keys that it lacks, as new parts.

    Args:
        out: the folder for the results.
        settings: the settings that captions depend on; all runs into a folder must have the same.
        sources: the keys of each source. No part mixes two sources, so each source can be finished separately.
        size: the most photos in a part.

    Returns:
        The keys of each part.

    Raises:
        SourceError: the folder was begun with other settings.
    """
    import pyarrow
    from pyarrow import parquet

    path, parts = out / PLAN, []
    if path.exists():
        table = parquet.read_table(path)
        before = json.loads(table.schema.metadata[SETTINGS])
        if before != settings:
            raise SourceError(f"{out} was begun with {_spell(before)}, not {_spell(settings)}; give another --out.")
        parts = table["keys"].to_pylist()
    planned, new = set(chain.from_iterable(parts)), []
    for keys in sources:
        fresh = [key for key in keys if key not in planned]
        new += [fresh[start : start + size] for start in range(0, len(fresh), size)]
    if new:
        schema = pyarrow.schema({"keys": pyarrow.list_(pyarrow.string())}, {SETTINGS: json.dumps(settings)})
        out.mkdir(parents=True, exist_ok=True)
        _write(pyarrow.table({"keys": parts + new}, schema), path)
    return parts + new


def is_done(out: Path, part: int, photos: int) -> bool:
    """Whether a part has its file. A file damaged later, such as by an incomplete copy, does not count."""
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.read_metadata(_file(out, part)).num_rows == photos
    except (FileNotFoundError, pyarrow.ArrowInvalid):
        return False


class CaptionPart:
    """An actor: loads the captioner once, then captions and writes one part after another.

    Args:
        model: as for `Captioner.from_pretrained`.
        out: the folder for the results.
        beam: captions kept during the search.
        batch_size: photos per forward pass.
        threads: processor cores to use.
        device: "cpu" or "cuda".
    """

    def __init__(self, model: str, out: Path, beam: int, batch_size: int, threads: int, device: str):
        torch.set_num_threads(threads)
        self.captioner = Captioner.from_pretrained(model)
        self.captioner.model.to(device)
        self.out, self.options, self.batch_size = out, DecodeOptions(beam=beam, alternatives=0), batch_size

    def __call__(self, row: dict) -> dict:
        """Takes the result of `load_part`; returns how many photos and errors it wrote."""
        part, keys, errors = row["part"], row["keys"], row["errors"]
        if not is_done(self.out, part, len(keys)):  # else it was written before its worker died
            good = (square for square, error in zip(row["squares"], errors, strict=True) if error is None)
            found = self.captioner.stream(good, self.options, self.batch_size)
            results = [next(found) if error is None else error for error in errors]
            _write(_table(keys, results, self.captioner.model.encoder.grid_size**2), _file(self.out, part))
        return {"photos": len(keys), "errors": sum(error is not None for error in errors)}


def _table(keys: Sequence[str], results: Sequence[Caption | PhotoError | str], cells: int):
    import pyarrow

    columns = ("caption", "words", "probabilities", "maps", "error")
    rows = [
        (
            result.text,
            [word.text for word in result.words],
            [word.probability for word in result.words],
            [word.weights.astype(np.float16).ravel() for word in result.words],
            None,
        )
        if isinstance(result, Caption)
        else (None, None, None, None, str(result))
        for result in results
    ]
    types = {
        "key": pyarrow.string(),
        "caption": pyarrow.string(),
        "words": pyarrow.list_(pyarrow.string()),
        "probabilities": pyarrow.list_(pyarrow.float32()),
        "maps": pyarrow.list_(pyarrow.list_(pyarrow.float16(), cells)),
        "error": pyarrow.string(),
    }
    return pyarrow.table({"key": keys, **dict(zip(columns, zip(*rows), strict=True))}, pyarrow.schema(types))


def _write(table, path: Path) -> None:
    """Writes a Parquet file either completely or not at all, even if the machine fails."""
    from pyarrow import parquet

    other = path.with_name(f".{path.name}.{uuid4().hex}")
    with other.open("wb") as file:
        parquet.write_table(table, file, compression="zstd", use_dictionary=False)  # values rarely repeat
        file.flush()
        os.fsync(file.fileno())
    other.replace(path)


def _file(out: Path, part: int) -> Path:
    return out / f"part-{part:06}.parquet"


def _spell(settings: dict) -> str:
    return " ".join(f"--{name} {value}" for name, value in settings.items())
