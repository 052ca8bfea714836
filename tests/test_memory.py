"""Freed memory goes back to the system. In a process of its own: here others hold what they like."""

import platform
import subprocess
import sys

import pytest

HOLD = """
import threading
from pathlib import Path
from capmodel.memory import trim

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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries hold nothing back")
def test_freed_memory_goes_back():
    done = subprocess.run([sys.executable, "-c", HOLD], capture_output=True, text=True, timeout=120, check=True)
    found, megabytes = done.stdout.split()
    assert found == "True"
    assert float(megabytes) > 60
