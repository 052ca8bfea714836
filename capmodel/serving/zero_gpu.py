"""ZeroGPU: a Hugging Face Space that is lent a GPU for the moments in which it computes.

There the package `spaces` runs the functions that are marked with ``spaces.GPU`` in a process of their own, which
has the GPU. Elsewhere nothing of it is imported.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from capmodel.captioner import Captioner

DEVICE = "cuda"
SECONDS = 20  # that a call may take: a batch needs less than one, the start of the process some more


def has_zero_gpu() -> bool:
    """Whether this is a Space with that hardware."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def make_runner(captioners: Mapping[str, Captioner]) -> Callable[..., Any]:
    """What calls a function with the captioners, by attention, and more arguments.

    With ZeroGPU it calls it in the process with the GPU, to which the captioners are moved, and function,
    arguments and result are pickled. Such a Space must have called this before its page starts.
    """

    def run(function: Callable[..., Any], *arguments: Any) -> Any:
        return function(captioners, *arguments)  # the other process has the captioners from this one

    if not has_zero_gpu():
        return run
    import spaces  # pyright: ignore[reportMissingImports]

    for captioner in captioners.values():
        captioner.model.to(DEVICE)
    return spaces.GPU(run, duration=SECONDS)
