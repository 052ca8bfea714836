"""The command line as a process: how long it takes to start, and how much memory many photos take."""

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from capmodel import Captioner, compat
from capmodel.photos.folders import list_photos
from capmodel.resources import ASSETS, PHOTOS
from tests.benchmarks.photos import plain_encoder, time_in_turn, to_pixels

FEW, MANY = 10, 1000  # photos
# What a program with a network of timm's imports, PyTorch's compiler included; compat.py lets timm be imported where
# torchvision is broken.
IMPORTS = f"import torch._dynamo; exec(open({compat.__file__!r}).read()); import timm"
# Runs a command, and prints the peak of its memory.
IN_BETWEEN = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""


def measure_cold_start(rounds: int) -> dict:
    """`python -m capmodel PHOTO`, over importing torch and timm plus a plain forward pass of the backbone."""
    photo = min(list_photos(PHOTOS))
    captioner = Captioner.from_pretrained()
    encoder, pixels = plain_encoder(captioner), to_pixels([captioner.load_square(photo)])
    times = time_in_turn(
        {
            "capmodel": lambda: _run(["-m", "capmodel", str(photo)]),
            "imports": lambda: _run(["-c", IMPORTS]),
            "plain forward": lambda: encoder(pixels),
        },
        rounds,
    )
    return {
        "ratios": {"cold start / imports and forward": times["capmodel"] / (times["imports"] + times["plain forward"])},
        "seconds": times,
    }


def measure_memory(rounds: int) -> dict:
    """The peak of the command line's memory on 1,000 photos, over its peak on 10."""
    peaks = {}
    for count in (FEW, MANY):
        with tempfile.TemporaryDirectory() as folder:
            photos = list_photos(PHOTOS)
            for number in range(count):
                Path(folder, f"{number:04}.jpg").symlink_to(photos[number % len(photos)].resolve())
            # The large run is not repeated: it takes a minute, and a peak hardly varies.
            peaks[count] = median(_run(["-m", "capmodel", folder]) for _ in range(rounds if count == FEW else 1))
    return {
        "ratios": {f"memory, {MANY} photos / {FEW}": peaks[MANY] / peaks[FEW]},
        "megabytes": {f"{count} photos": round(peak) for count, peak in peaks.items()},
    }


def _run(arguments: list[str]) -> float:
    """Runs Python; returns the peak of its memory in MB.

    Raises:
        RuntimeError: it failed.
    """
    # A new process inherits the peak of the one that starts it, and this one may be large; the one in between is small.
    done = subprocess.run(
        [sys.executable, "-c", IN_BETWEEN, sys.executable, *arguments],
        cwd=ASSETS.parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed with {done.returncode}")
    return int(done.stdout) / 1000  # Linux counts in kB
