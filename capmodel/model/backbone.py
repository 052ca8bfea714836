"""Turns a photo into a grid: a timm ResNet or DenseNet without its pooling and classifier."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from capmodel.model.files import fill, read_settings, read_weights
from capmodel.model.resnet import BLOCKS, ResNetD

FAMILIES = ("resnet", "densenet")
CONFIG, WEIGHTS = "backbone.json", "backbone.safetensors"


def backbone_names() -> list[str]:
    """All timm model names that `GridEncoder` accepts."""
    return [name for family in FAMILIES for name in _timm().list_models(module=family)]


class GridEncoder(nn.Module):
    """Encodes photos as a grid of vectors, taken just before the network's average pooling.

    He et al. (2016), "Deep Residual Learning"; Huang et al. (2017), "Densely Connected
    Convolutional Networks"; as timm implements them, whether it runs itself or `ResNetD` does without its import.

    Args:
        name: a timm ResNet or DenseNet, such as ``"resnet26d"`` or ``"densenet121"``; a
            pretrained tag may follow a dot.
        pretrained: download timm's ImageNet weights for it.
        image_size: side of the square input, in pixels; a multiple of 32.

    Attributes:
        channels: D, the length of each vector.
        grid_size: side of the grid in cells (L = grid_size ** 2).
        interpolation: how timm resizes photos for this network, such as ``"bicubic"``.

    Raises:
        ValueError: the name is in neither family, or the size is not a multiple of 32.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str = "resnet26d", *, pretrained: bool = False, image_size: int = 256):
        super().__init__()
        self.network: Any = _make_network(name, pretrained)
        config = self.network.pretrained_cfg
        stride = self.network.feature_info[-1]["reduction"]
        if image_size % stride:
            raise ValueError(f"image_size must be a multiple of {stride} for {name}, not {image_size}")
        self.name = name
        self.image_size = image_size
        self.interpolation: str = config["interpolation"]
        self.channels: int = self.network.num_features
        self.grid_size: int = image_size // stride
        # timm's mean and std are for pixels in 0..1, ours are in 0..255.
        self.register_buffer("mean", 255 * torch.tensor(config["mean"]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(config["std"]).view(3, 1, 1), persistent=False)

    def normalize(self, pixels: Tensor) -> Tensor:
        """Normalizes RGB pixels (B, 3, S, S) in 0..255, of any dtype, as in the network's training."""
        return (pixels.to(self.mean.dtype) - self.mean) / self.std

    def forward(self, pixels: Tensor) -> Tensor:
        """RGB pixels (B, 3, S, S) in 0..255 -> grid (B, L, D), cells row by row from the top left."""
        maps = self.network.forward_features(self.normalize(pixels))  # (B, D, side, side)
        return maps.flatten(2).transpose(1, 2)

    def save(self, folder: Path) -> None:
        """Writes ``backbone.json`` and ``backbone.safetensors``, with weights from `compact`."""
        folder.mkdir(parents=True, exist_ok=True)
        settings = {"name": self.name, "image_size": self.image_size}
        (folder / CONFIG).write_text(json.dumps(settings) + "\n")
        save_file(compact(self.state_dict()), folder / WEIGHTS, metadata={"format": "pt"})

    @classmethod
    @torch.inference_mode(False)  # weights created in inference mode could never be trained
    def load(cls, folder: Path) -> "GridEncoder":
        """Reads what `save` wrote.

        Raises:
            FileNotFoundError: a file is missing in the folder.
            ValueError: a file is damaged, or lacks a setting.
            RuntimeError: the weights do not fit the settings.
        """
        settings = read_settings(folder, CONFIG)
        name, image_size = settings.get("name"), settings.get("image_size")
        if not isinstance(name, str) or not isinstance(image_size, int):
            raise ValueError(f"{folder / CONFIG} does not name its backbone and image size: {settings}.")
        encoder = cls(name, image_size=image_size)
        fill(encoder, read_weights(folder, WEIGHTS), folder / WEIGHTS)
        return encoder

    def stages(self, pixels: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """The last feature map (B, D, side, side) and those at strides 4, 8, 16 and 32, in this order."""
        return stage_maps(self.network, self.normalize(pixels))


def _make_network(name: str, pretrained: bool) -> nn.Module:
    if name in BLOCKS and not pretrained:
        return ResNetD(BLOCKS[name])
    if name.partition(".")[0] not in backbone_names():
        raise ValueError(
            f"{name!r} is neither a ResNet nor a DenseNet of timm. Such names look like "
            f"'resnet26d', 'resnet50' or 'densenet121'; capmodel.model.backbone.backbone_names() lists them all."
        )
    return timm_network(name, pretrained)


def timm_network(name: str, pretrained: bool = False) -> Any:
    """A network of timm without its classifier."""
    return _timm().create_model(name, pretrained=pretrained, num_classes=0)


def _timm() -> Any:
    """timm, imported only when it is needed: that takes longer than everything else until a caption is printed."""
    import capmodel.compat  # noqa: F401, I001  (before timm)
    import timm

    return timm


def compact(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Converts weights for storage: matrices to fp16.

    Vectors stay fp32: they are small, and BatchNorm's variances can be smaller than fp16 resolves.
    """
    return {
        name: (value.half() if value.is_floating_point() and value.ndim > 1 else value).contiguous()
        for name, value in weights.items()
    }


def stage_maps(network: Any, inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
    """A timm network's last feature map and its stage outputs from stride 4 on, for normalized inputs."""
    last, maps = network.forward_intermediates(inputs)
    strides = [info["reduction"] for info in network.feature_info]
    return last, [stage for stage, stride in zip(maps, strides, strict=True) if stride >= 4]
