"""Measures speed, as ratios within one run.

    pip install -r tests/requirements.txt   # a browser is needed too: apt install chromium
    python -m train.bench --page            # the page against the command line, twelve photos of 12 megapixels

Every round has photos of its own, so nothing comes from a cache; what is printed are medians.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import torch

from train.bench_page import measure_page


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", required=True, help="the page against the command line")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)

    machine = {"cores": len(os.sched_getaffinity(0)), "threads": torch.get_num_threads(), "torch": torch.__version__}
    with tempfile.TemporaryDirectory() as folder:
        result = {"machine": machine, "page": measure_page(Path(folder), options.rounds)}
    if options.json:
        print(json.dumps(result))
        return
    print(" ".join(f"{key} {value}" for key, value in machine.items()))
    page = result["page"]
    print(f"command line: one photo {page['line_one']:.2f} s, twelve {page['line_twelve']:.2f} s")
    print(f"page: first caption {page['page_first']:.2f} s, last {page['page_last']:.2f} s")
    print(
        f"first / one photo: {page['first_ratio']:.2f} (at most 1.5); last / twelve: {page['last_ratio']:.2f} (at most 1.3)"
    )


if __name__ == "__main__":
    main()
