"""Captions a million photos on the cores or GPUs of one machine or many, with Ray Data. Interrupted runs resume.

    pip install "capmodel[bulk]"
    python -m capmodel.bulk photos/ --out captions
    python -m capmodel.bulk shards/ table.parquet --out captions --model sparsemax --beam 3 --workers 8
    python -m capmodel.bulk /shared/photos --out /shared/captions --address auto --gpus   # a running Ray cluster

A source is a photo, a Parquet file, a webdataset shard (.tar), or a folder with any of them. The results are Parquet
files with one row per photo: key, caption, words, probabilities, maps (for each word one number per cell of the grid,
8 x 8 in the bundled models, row by row from the top), and error, which says why there is no caption. After a crash,
repeat the same command to resume; it also picks up new photos.

The pipeline: parts of the plan -> tasks that load their photos -> actors, each with a captioner, that write results.
`capmodel.bulk.parts` explains why no photo is lost or duplicated.
"""

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from capmodel.command_line import command, end_on_interrupt, explained, load_captioner, whole_number

if __name__ == "__main__":
    end_on_interrupt()  # during the imports below
from tqdm import tqdm

from capmodel.bulk.loading import load_part
from capmodel.bulk.parts import CaptionPart, is_done, update_plan
from capmodel.bulk.quiet import without_ray_messages
from capmodel.bulk.sources import Place, SourceError, list_source
from capmodel.captioner import BATCH_SIZE
from capmodel.decoding.options import MOST_BEAMS

PART_SIZE = 256  # photos; 50 MB as squares


@command
def main(arguments: list[str] | None = None) -> int:
    """Runs the command line. Returns the exit status 0: photos with an error are part of the results, not failures."""
    parser = argparse.ArgumentParser(
        prog="python -m capmodel.bulk", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="for the results; all workers must see it"
    )
    parser.add_argument("--model", default="softmax", metavar="NAME_OR_FOLDER_OR_HUB_ID", help="default: softmax")
    parser.add_argument(
        "--beam",
        type=whole_number(1, MOST_BEAMS),
        default=5,
        help="captions kept during the search; 1 is greedy (default 5)",
    )
    parser.add_argument(
        "--workers", type=whole_number(1), metavar="N", help="captioners (default: one per core or GPU)"
    )
    parser.add_argument(
        "--batch-size", type=whole_number(1), default=BATCH_SIZE, help="photos per forward pass (default %(default)s)"
    )
    parser.add_argument(
        "--part-size",
        type=whole_number(1),
        default=PART_SIZE,
        help="photos per file, the most that a crash can cost (default %(default)s)",
    )
    parser.add_argument("--image-column", metavar="NAME", help="of Parquet files (default: image, else bytes)")
    parser.add_argument(
        "--key-column", metavar="NAME", help="of Parquet files (default: key, else file and row number)"
    )
    parser.add_argument("--gpus", action="store_true", help="a GPU for each captioner")
    parser.add_argument("--address", help="of a Ray cluster to join, or auto (default: this machine alone)")
    options = parser.parse_args(arguments)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray reports usage; it reads this on import
    try:
        import ray.data
    except ImportError as error:
        parser.error(
            f"bulk captioning needs Ray Data, which cannot be imported ({error}): "
            'pip install "capmodel[bulk]", or in a checkout pip install ".[bulk]"'
        )
    captioner = load_captioner(options.model)
    size, interpolation = captioner.model.config.image_size, captioner.model.encoder.interpolation
    del captioner  # only to check that it loads; each worker loads its own
    with explained():
        parts = _parts(options)
    undone = [part for part in parts if not is_done(options.out, part["part"], len(part["keys"]))]
    photos, left = (sum(len(part["keys"]) for part in some) for some in (parts, undone))
    print(f"{photos:,} photos, {photos - left:,} of them captioned before.", file=sys.stderr)
    # Parts with no photo in these sources, as after a change of SOURCE. They wait until their source is given again.
    waiting = [part for part in undone if not any(part["places"])]
    undone = [part for part in undone if any(part["places"])]
    if waiting:
        missing = sum(len(part["keys"]) for part in waiting)
        print(f"{missing:,} of them are not in these sources and remain without a caption.", file=sys.stderr)

    address = options.address or os.environ.get("RAY_ADDRESS") or "local"
    errors = 0
    with without_ray_messages():
        bar = tqdm(total=photos, initial=photos - left, unit="photo", mininterval=0.5 if sys.stderr.isatty() else 30)
        if undone:
            _start(address)
            try:
                for row in _pipeline(undone, options, size, interpolation):
                    bar.update(row["photos"])
                    errors += row["errors"]
            finally:
                ray.shutdown()
        bar.close()
    print(f"The captions are in {options.out}. Photos of this run with an error instead: {errors:,}.", file=sys.stderr)
    return 0


def _parts(options: argparse.Namespace) -> list[dict]:
    """All parts as `load_part` takes them.

    Raises:
        SourceError: there are no photos, two have the same key, or the folder belongs to other settings.
    """
    places: dict[str, Place] = {}
    sources = []
    for source in options.sources:
        before = len(places)
        for key, place in list_source(source, options.out, options.image_column, options.key_column):
            if key in places:
                files = " and ".join(os.fsdecode(other.file) for other in (places[key], place))
                raise SourceError(f"Two photos have the key {key!r}, in {files}; caption them into two folders.")
            places[key] = place
        sources.append(list(places)[before:])
    if not places:
        raise SourceError("there are no photos in " + ", ".join(map(str, options.sources)))
    plan = update_plan(options.out, {"model": options.model, "beam": options.beam}, sources, options.part_size)
    found = ([places.get(key) for key in keys] for keys in plan)
    return [
        {"part": part, "keys": keys, "places": [place and place._asdict() for place in of_part]}
        for part, (keys, of_part) in enumerate(zip(plan, found, strict=True))
    ]


def _start(address: str) -> None:
    """Starts Ray on this machine, or joins a cluster."""
    import ray

    if address == "local":  # a cluster that nobody else can join needs no advice on who may join
        logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    dashboard = False if address == "local" else None
    ray.init(address, include_dashboard=dashboard, log_to_driver=False, logging_level=logging.WARNING)
    ray.data.DataContext.get_current().enable_progress_bars = False  # they count parts; our bar counts photos
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _pipeline(parts: list[dict], options: argparse.Namespace, size: int, interpolation: str) -> Iterator[dict]:
    """Captions parts. Yields one row per part, as `CaptionPart` returns it, in the order in which parts finish."""
    import ray
    from ray.data import ActorPoolStrategy, TaskPoolStrategy

    cluster = ray.cluster_resources()
    cores, gpus = cluster.get("CPU", 1), int(cluster.get("GPU", 0))
    if options.gpus and not gpus:
        raise SystemExit("This Ray cluster has no GPU: omit --gpus.")
    workers = min(options.workers or int(gpus if options.gpus else cores), len(parts))
    share = cores / workers
    share = int(share) if share >= 1 else share  # Ray takes fractions only below 1
    # Captioners hold their resource for the whole run. Loaders must never wait for that resource, so they take another:
    # cores if captioners hold GPUs; if captioners hold all cores, none, with a limit on their number instead.
    loading: dict[str, Any]
    captioning: dict[str, Any]
    if options.gpus:
        loading, captioning = {"num_cpus": 1}, {"num_cpus": 0, "num_gpus": 1}
    else:
        loading, captioning = {"num_cpus": 0, "compute": TaskPoolStrategy(size=workers)}, {"num_cpus": share}
    out = options.out.absolute()
    load = {"out": out, "image_size": size, "interpolation": interpolation}
    captioner = {
        "model": options.model,
        "out": out,
        "beam": options.beam,
        "batch_size": options.batch_size,
        "threads": 1 if options.gpus else max(1, int(share)),
        "device": "cuda" if options.gpus else "cpu",
    }
    # One block per part: the unit repeated when a worker dies. Ray Data restarts tasks and actors without limit.
    captioning |= {"fn_constructor_kwargs": captioner, "compute": ActorPoolStrategy(size=workers)}
    # Ignored below: Ray's types allow neither functions with more arguments nor classes.
    loaded = ray.data.from_items(parts, override_num_blocks=len(parts)).map(
        load_part,  # pyright: ignore[reportArgumentType]
        fn_kwargs=load,
        **loading,
    )
    done = loaded.map(CaptionPart, **captioning)  # pyright: ignore[reportArgumentType]
    return iter(done.iter_rows())


if __name__ == "__main__":
    sys.exit(main())
