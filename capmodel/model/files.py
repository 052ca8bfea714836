"""Reads a model's files; an error names the missing or damaged file in one sentence."""

import json
import textwrap
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

_AGAIN = "it is damaged or truncated; copy or download it again"


def read_settings(folder: Path, name: str) -> dict[str, Any]:
    """The JSON object in a file of a model's folder.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file does not hold a JSON object.
    """
    path = _present(folder, name)
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # not JSON, or not even text
        raise ValueError(f"{path} is not JSON ({error}): {_AGAIN}.") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{path} does not hold a JSON object: {_AGAIN}.")
    return settings


def read_weights(folder: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file in a model's folder, by name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a complete safetensors file.
    """
    path = _present(folder, name)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a complete safetensors file ({error}): {_AGAIN}.") from error


def fill(module: nn.Module, weights: dict[str, Tensor], source: Path) -> None:
    """Loads weights into a module; their names and shapes must match exactly.

    Args:
        source: the file they come from, for the error message.

    Raises:
        RuntimeError: the weights do not fit.
    """
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:  # several lines, with every name
        raise RuntimeError(f"{source} does not fit its settings: {textwrap.shorten(str(error), 240)}") from error


def _present(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise FileNotFoundError(f"{folder} is not a model folder: it has no {name}.")
    return folder / name
