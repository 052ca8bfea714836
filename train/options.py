"""Command line options that several scripts share, each with one meaning."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from train.data.datasets import DataSet, load_sets
from train.data.errors import DataError, tell
from train.data.mixture import Mixture
from train.data.photo_check import readable_sets
from train.fit import MIXED_PRECISIONS
from train.objectives.teacher_forcing import Regularization


def add_data(parser: ArgumentParser, *, weights: bool = False) -> None:
    """Adds ``--data`` and ``--skip-bad``, and for training ``--weights``."""
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="FOLDER_OR_FILE", help="captioned data sets; "
                        "README.md shows the layouts")  # fmt: skip
    add_skip_bad(parser)
    if weights:
        parser.add_argument("--weights", type=float, nargs="+", metavar="W", help="how often to draw a photo from each data "
                            "set, relative to the others (default: their sizes)")  # fmt: skip


def add_skip_bad(parser: ArgumentParser) -> None:
    """Adds ``--skip-bad``."""
    parser.add_argument("--skip-bad", action="store_true", help="leave out photos that are missing, damaged or without a "
                        "caption, instead of stopping")  # fmt: skip


def load_data(options: Namespace, split: str) -> list[DataSet]:
    """A split of the data sets that `add_data` was given; every photo in it can be read.

    Raises:
        DataError: as for `load_split`, and if a photo is damaged.
    """
    sets = readable_sets(load_sets(options.data, split, skip_bad=options.skip_bad), skip_bad=options.skip_bad)
    for data in sets:
        captions = sum(map(len, data.captions))
        tell(f"{data.name}, {split}: {len(data.photos)} photos, {captions} captions")
    return sets


def mixture(options: Namespace, sets: Sequence[DataSet]) -> Mixture:
    """How photos are drawn from the data sets that `add_data` was given.

    Raises:
        DataError: there are not as many positive weights as data sets.
    """
    try:
        return Mixture([len(data.examples) for data in sets], options.weights)
    except ValueError as error:
        raise DataError(str(error)) from error


def add_run(parser: ArgumentParser, *, epochs: int, batch_size: int, learning_rate: float, ema: float) -> None:
    """Adds what every run over epochs needs; the arguments are the defaults."""
    parser.add_argument("--out", type=Path, required=True, help="folder for the model and the checkpoint")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--batch-size", type=int, default=batch_size, help="photos a step and process")
    parser.add_argument("--learning-rate", type=float, default=learning_rate, help="of the decoder")
    parser.add_argument("--ema", type=float, default=ema, help="decay of the weights' moving average")
    parser.add_argument("--precision", choices=MIXED_PRECISIONS, default="auto")
    parser.add_argument("--seed", type=int, default=0)


def add_grids(parser: ArgumentParser) -> None:
    """Adds how photos are seen by a frozen backbone, and where their grids are kept."""
    parser.add_argument("--features", type=Path, help="folder for the cached grids (default: in --out)")
    parser.add_argument("--no-mirror", action="store_true", help="train on the photos as they are only")
    parser.add_argument("--crops", type=int, default=0, help="random crops of each photo to train on, beside the whole one; "
                        "each takes as much disk")  # fmt: skip


def add_regularization(parser: ArgumentParser, *, dropout: float, word_dropout: float) -> None:
    """Adds what keeps the decoder from learning captions by heart; the arguments are the defaults."""
    parser.add_argument("--dropout", type=float, default=dropout)
    parser.add_argument("--label-smoothing", type=float, default=Regularization.label_smoothing)
    parser.add_argument("--cell-dropout", type=float, default=0.0, help="probability of a cell to be hidden")
    parser.add_argument(
        "--word-dropout", type=float, default=word_dropout, help="probability of a token to be read as unknown"
    )
    parser.add_argument("--doubly-stochastic", type=float, default=0.0, help="weight of the penalty on neglected cells")
    parser.add_argument("--entropy", type=float, default=0.0, help="weight of the penalty on flat maps")
    parser.add_argument(
        "--evidence", type=float, default=0.0, help="weight of what pulls attention to where it matters"
    )


def regularization(options: Namespace) -> Regularization:
    """What `add_regularization` was given, without the dropout, which belongs to the decoder."""
    return Regularization(
        label_smoothing=options.label_smoothing,
        doubly_stochastic=options.doubly_stochastic,
        entropy=options.entropy,
        cell_dropout=options.cell_dropout,
        word_dropout=options.word_dropout,
        evidence=options.evidence,
    )
