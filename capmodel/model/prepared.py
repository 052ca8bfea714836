"""Cached work on a module's weights, for inference."""

import zlib
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

Value = TypeVar("Value")


class Prepared(Generic[Value]):
    """A value that is computed from a module's weights, and computed again when they are written to or moved.

    Args:
        make: computes the value for the module that `get` is given.
    """

    def __init__(self, make: Callable[[Any], Value]):
        self._make = make
        self._state: tuple | None = None
        self._value: Value

    def get(self, module: nn.Module) -> Value:
        """The value for the module's present weights."""
        state = _state_of(module)
        if state != self._state:
            self._value, self._state = self._make(module), state
        return self._value


def _state_of(module: nn.Module) -> tuple:
    """A key that stays equal until the module's weights are written to or moved."""
    return tuple((value.data_ptr(), _writes(value)) for value in module.state_dict().values())


def _writes(value: Tensor) -> int:
    """A number that changes when a tensor is written to: PyTorch's write count, or a checksum for inference tensors.

    PyTorch does not count writes to tensors created in inference mode, so the whole tensor must be read, which costs
    about 1 ms per megabyte.
    """
    try:
        if not value.is_inference():
            return value._version
    except RuntimeError:  # created in inference mode and moved outside it
        pass
    return zlib.crc32(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
