"""Measures speed and memory, as ratios within one run.

    pip install -r train/requirements.txt
    python -m tests.benchmarks --photos          # captioning, from files to words and maps, over the backbone's plain pass
    python -m tests.benchmarks --attentions      # the decoder with each kind of attention, over softmax
    python -m tests.benchmarks --training        # training the decoder, over the plain loop of tutorials
    python -m tests.benchmarks --cold-start --memory    # the command line as a process
    python -m tests.benchmarks --page            # the page over the command line, twelve photos of 12 megapixels
    python -m tests.benchmarks --site            # the page without a server, from opening to captions
    python -m tests.benchmarks --peers           # other captioners over ours

The pages need what the tests need (tests/requirements.txt, and a browser: apt install chromium-headless-shell), the other
captioners `pip install -r tests/benchmarks/requirements.txt`. What is printed are medians; leave the machine alone meanwhile.
"""

import argparse
import json
import os
from pkgutil import resolve_name

import torch

# How a measure is called, what it measures, and where: loaded only if it is wanted, for what it needs.
MEASURES = {
    "photos": ("captioning over the backbone's plain pass", "tests.benchmarks.photos:measure_photos"),
    "attentions": ("the kinds of attention over softmax", "tests.benchmarks.photos:measure_attentions"),
    "training": ("training over the plain loop of tutorials", "tests.benchmarks.training:measure_training"),
    "cold-start": ("the command line over its imports", "tests.benchmarks.process:measure_cold_start"),
    "memory": ("the command line on many photos over few", "tests.benchmarks.process:measure_memory"),
    "page": ("the page over the command line", "tests.benchmarks.page:measure_page"),
    "site": ("the page without a server", "tests.benchmarks.site:measure_site"),
    "peers": ("other captioners over ours", "tests.benchmarks.peers:measure_peers"),
}

# What each ratio should be.
GOALS = {
    "one photo, bf16 / plain forward": "at most 0.85",
    "twelve photos, bf16 / plain forward": "at most 0.42",
    "twelve photos, fp32 / plain forward": "at most 0.65",
    "training, captions a second, ours / plain loop": "at least 10",
    "cold start / imports and forward": "at most 1.5",
    "memory, 1000 photos / 10": "at most 1.3",
    "page, first caption / command line, one photo": "at most 1.5",
    "page, last caption / command line, twelve photos": "at most 1.25",
    "BLIP-base / one photo": "at least 35",
    "ViT-GPT2 / one photo": "at least 22",
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, (what, _) in MEASURES.items():
        parser.add_argument(f"--{name}", dest="wanted", action="append_const", const=name, help=what)
    parser.add_argument("--rounds", type=int, default=5, help="whose median counts")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if not options.wanted:
        parser.error("choose what to measure: " + ", ".join(f"--{name}" for name in MEASURES))

    machine = {"cores": len(os.sched_getaffinity(0)), "threads": torch.get_num_threads(), "torch": torch.__version__}
    result = {"machine": {"processor": torch.cpu.get_capabilities().get("cpu_name"), **machine}}
    for name in options.wanted:
        result[name] = resolve_name(MEASURES[name][1])(options.rounds)
    if options.json:
        print(json.dumps(result))
        return
    for name, found in result.items():
        print(f"\n{name}")
        for key, value in found.items():
            _show(key, value)


def _show(key: str, value: object) -> None:
    if key == "ratios":
        for label, ratio in value.items():
            goal = f" ({GOALS[label]})" if label in GOALS else ""
            print(f"  {label}: {ratio:.2f}{goal}")
    elif isinstance(value, dict):
        print(f"  {key}: " + ", ".join(f"{label} {_plain(number)}" for label, number in value.items()))
    else:
        print(f"  {key}: {value}")


def _plain(number: object) -> str:
    return f"{number:.3g}" if isinstance(number, float) else str(number)


if __name__ == "__main__":
    main()
