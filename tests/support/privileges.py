"""Processes without an administrator's privileges, for tests that may run as root, who can read and write everything."""

import ctypes
import os
import subprocess
from pathlib import Path

from support.samples import ROOT

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_NET_BIND_SERVICE = 24, 1, 2, 10  # of Linux


def drop_privileges() -> None:
    """In a process that is about to become another program: from then on, permissions hold for root, too."""
    if os.getuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_NET_BIND_SERVICE):
            assert libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0


def run_plain(command: list[str | Path], **options) -> subprocess.CompletedProcess:
    """`subprocess.run` without privileges."""
    options = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": 120, **options}
    return subprocess.run([str(part) for part in command], preexec_fn=drop_privileges, **options)
