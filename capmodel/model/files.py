"""Reads the files of a model; one that is missing or damaged becomes one sentence that names it."""

import json
import textwrap
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

_AGAIN = "it is damaged or was cut short; copy or download it again"


def read_settings(folder: Path, name: str) -> dict[str, Any]:
    """The JSON object in a file of a model's folder.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no JSON object.
    """
    path = _present(folder, name)
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, or no text at all
        raise ValueError(f"{path} is not JSON ({error}): {_AGAIN}.") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{path} holds no JSON object: {_AGAIN}.")
    return settings


def read_weights(folder: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file in a model's folder, by name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no whole safetensors file.
    """
    path = _present(folder, name)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is no whole safetensors file ({error}): {_AGAIN}.") from error


def fill(module: nn.Module, weights: dict[str, Tensor], source: Path) -> None:
    """Gives a module its weights, those and no others.

    Args:
        source: where they are from, for the message.

    Raises:
        RuntimeError: they do not fit.
    """
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:  # several lines, with every name
        raise RuntimeError(f"{source} does not fit its settings: {textwrap.shorten(str(error), 240)}") from error


def _present(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise FileNotFoundError(f"{folder} is not a model folder: it has no {name}.")
    return folder / name
