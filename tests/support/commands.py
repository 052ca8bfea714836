"""Command lines as a user types them: most in the test's own process, which has imported everything already."""

import io
import os
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from unittest.mock import patch

from accelerate.state import AcceleratorState


def run(line: str) -> str:
    """Runs `python -m MODULE ...` by calling the module's `main`. Returns what it printed.

    Accelerate keeps its precision and its number of processes as long as a process lives, so it forgets them here.
    """
    python, option, module, *arguments = shlex.split(line)
    assert (python, option) == ("python", "-m"), line
    spec = find_spec(module)
    main = import_module(f"{module}.__main__" if spec.submodule_search_locations else module).main
    AcceleratorState._reset_state(reset_partial_state=True)
    try:
        with patch.dict(os.environ), redirect_stdout(io.StringIO()) as printed:
            status = main(arguments)
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
    assert not status, printed.getvalue()
    return printed.getvalue()


def run_process(line: str) -> str:
    """Runs a command line in a process of its own; `python` and `torchrun` are this environment's."""
    words = shlex.split(line)
    launcher = {"python": [], "torchrun": ["-m", "torch.distributed.run"]}[words[0]]
    done = subprocess.run([sys.executable, *launcher, *words[1:]], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout
