"""Command line options that several scripts share."""

from argparse import ArgumentParser
from pathlib import Path


def add_data(parser: ArgumentParser, *, weights: bool = False) -> None:
    """Adds ``--data``, and for training ``--weights``."""
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="FOLDER", help="captioned data sets; "
                        "layouts: see train/data/datasets.py")  # fmt: skip
    if weights:
        parser.add_argument("--weights", type=float, nargs="+", metavar="W", help="how often to draw a photo from each data "
                            "set, relative to the others (default: their sizes)")  # fmt: skip
