"""Measures speed, as ratios within one run.

    pip install -r tests/requirements.txt   # a browser is needed too: apt install chromium
    python -m train.bench --page            # the page against the command line, twelve photos of 12 megapixels
    python -m train.bench --attentions      # the decoder with each kind of attention, against softmax

Every round has photos of its own, so nothing comes from a cache; what is printed are medians.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from capmodel import Captioner
from capmodel.photos import list_photos
from capmodel.player import ASSETS
from train.bench_page import measure_page


def measure_attentions(rounds: int) -> dict[str, float]:
    """The time from the grids of the example photos to their captions, beam 5, over that of the first attention."""
    captioners = Captioner.family()
    grids = captioners[0].encode([captioners[0].prepare(photo) for photo in list_photos(ASSETS / "photos")])
    times = {captioner.attention: [] for captioner in captioners}
    for number in range(rounds + 1):
        for captioner in captioners:
            began = time.perf_counter()
            captioner.describe(grids)
            if number:  # the first round warms everything up
                times[captioner.attention].append(time.perf_counter() - began)
    first = median(times[captioners[0].attention])
    return {name: median(seconds) / first for name, seconds in times.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="the page against the command line")
    parser.add_argument("--attentions", action="store_true", help="the kinds of attention against each other")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if not (options.page or options.attentions):
        parser.error("choose what to measure: --page, --attentions")

    result = {
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }
    }
    if options.page:
        with tempfile.TemporaryDirectory() as folder:
            result["page"] = measure_page(Path(folder), options.rounds)
    if options.attentions:
        result["attentions"] = measure_attentions(options.rounds)
    if options.json:
        print(json.dumps(result))
        return
    print(" ".join(f"{key} {value}" for key, value in result["machine"].items()))
    if page := result.get("page"):
        print(f"command line: one photo {page['line_one']:.2f} s, twelve {page['line_twelve']:.2f} s")
        print(f"page: first caption {page['page_first']:.2f} s, last {page['page_last']:.2f} s")
        print(f"first / one photo: {page['first_ratio']:.2f} (at most 1.5)")
        print(f"last / twelve: {page['last_ratio']:.2f} (at most 1.3)")
    for name, ratio in result.get("attentions", {}).items():
        print(f"{name}: {ratio:.2f}x softmax")


if __name__ == "__main__":
    main()
