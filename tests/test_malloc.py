"""The memory of a long-lived process stays small, and training keeps its own.

In processes of their own: here others hold what they like.
"""

import platform
import subprocess
import sys

import pytest

HOLD = """
import threading
from pathlib import Path
from capmodel.malloc import trim

def resident():
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1000

def work():   # many pieces, and one after them that stays: nothing can be given back at the end
    pieces = [bytes(range(256)) * 400 for _ in range(1000)]
    kept.append(bytes(range(256)) * 400)

kept = []
for _ in range(3):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
held = resident()
found = trim()
print(found, held - resident())
"""


POOLS = """
import ctypes, sys, threading
from capmodel.malloc import limit_pools

if sys.argv[1:]:
    print(limit_pools(2))
barrier = threading.Barrier(6)

def work():
    piece = ctypes.create_string_buffer(50_000)
    barrier.wait()

threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
ctypes.CDLL(None).malloc_stats()  # prints each pool to the standard error
"""

STEPS = """
import resource, sys
import numpy as np
from capmodel.malloc import hold

if sys.argv[1:]:
    print(hold())

def step():
    np.ones(10_000_000)

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

glibc_only = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries hold nothing back")


def run(program: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=120, check=True
    )


@glibc_only
def test_threads_share_their_pools():
    pools = {}
    for limit in ([], ["limit"]):
        done = run(POOLS, *limit)
        pools[bool(limit)] = done.stderr.count("Arena")
        assert done.stdout.split() == ["True"] * len(limit)
    assert pools[True] <= 2 < pools[False]


@glibc_only
def test_freed_memory_goes_back():
    done = run(HOLD)
    found, megabytes = done.stdout.split()
    assert found == "True"
    assert float(megabytes) > 60


@glibc_only
def test_what_is_held_need_not_be_cleared_again():
    faults = {}
    for held in ([], ["hold"]):
        *found, faults[bool(held)] = run(STEPS, *held).stdout.split()
        assert found == ["True"] * len(held)
    assert int(faults[True]) < 0.1 * int(faults[False])
