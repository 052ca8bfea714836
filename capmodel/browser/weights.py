"""Stores a module's weights in 16 or 8 bits inside an exported graph, which computes with them in fp32."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from capmodel.model.caption_model import CaptionModel

INT8_MAX = 127


class Compact(nn.Module):
    """Computes what a module computes, from weights in fewer bits that become fp32 in the graph itself.

    ONNX Runtime does that once, when it loads the graph, and then fuses BatchNorms into convolutions as it would for
    fp32 weights. So the file holds the published numbers and nothing derived from them.

    - Matrices that fp16 holds exactly are stored in it, as in a model's folder. Nothing is lost.
    - With `small`, matrices are stored in 8 bits instead: each row (output channel) as int8 numbers times one fp32
      scale, symmetric, rounded to the nearest. This changes captions.
    - All else stays in fp32, such as biases and BatchNorms.

    In the graph a weight is called as in the module, its scale ``NAME.scale``.
    """

    module: nn.Module

    def __init__(self, module: nn.Module, small: bool = False):
        super().__init__()
        # Not as a submodule: its fp32 weights are not part of the graph.
        self.__dict__["module"] = module.eval()
        self._stored: dict[str, tuple[str, str | None]] = {}  # the names of values and scale, by the weight's name
        for name, weight in module.state_dict().items():
            if not weight.is_floating_point():  # BatchNorm's count of batches
                continue
            values, scale = _compact(weight.detach(), small)
            self._stored[name] = (
                self._store(name, values),
                None if scale is None else self._store(f"{name}.scale", scale),
            )

    def forward(self, *inputs: Tensor) -> Any:
        weights = {name: self._weight(*stored) for name, stored in self._stored.items()}
        return functional_call(self.module, weights, inputs)

    def _store(self, name: str, value: Tensor) -> str:
        name = name.replace(".", "__")  # PyTorch allows no dots; `export` brings them back
        self.register_buffer(name, value)
        return name

    def _weight(self, values: str, scale: str | None) -> Tensor:
        weight = getattr(self, values).float()
        return weight if scale is None else weight * getattr(self, scale)


def _compact(weight: Tensor, small: bool) -> tuple[Tensor, Tensor | None]:
    """The numbers to store for a weight of any shape, and the scale to multiply them by, if any."""
    if weight.ndim < 2:
        return weight, None
    if small:
        largest = weight.abs().amax(list(range(1, weight.ndim)), keepdim=True).clamp(min=torch.finfo().tiny)
        scale = largest / INT8_MAX
        return (weight / scale).round().to(torch.int8), scale
    half = weight.half()
    return (half if torch.equal(half.float(), weight) else weight), None


def rounded_state(model: CaptionModel) -> dict[str, Tensor]:
    """The model's weights as they are after being stored in 8 bits."""
    state = {name: value.detach() for name, value in model.state_dict().items()}
    name = "decoder.lstm.weight_ih"  # stored in two parts: see `capmodel.browser.graphs`
    sizes = [model.decoder.embedding.embedding_dim, model.encoder.channels]
    parts = torch.cat([_rounded(part) for part in state[name].split(sizes, 1)], 1)
    return {key: _rounded(value) if value.is_floating_point() else value for key, value in state.items()} | {
        name: parts
    }


def _rounded(weight: Tensor) -> Tensor:
    values, scale = _compact(weight, small=True)
    return values if scale is None else values.float() * scale
