"""Distillation stage by stage, before the stages of a ResNet learn together."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from train.fit import Batch
from train.objectives.distillation import Distillation
from train.objectives.teacher import standardize


class Blockwise(nn.Module):
    """A distillation in which every stage reads the teacher's features of the stage before, not the student's.

    In a whole network the late stages must work with whatever the early ones have learned so far. Here every stage
    reads the features of a finished network from the first step on (Li et al. 2020, "Block-wisely
    Supervised Neural Architecture Search with Knowledge Distillation").

    A stage ends in a 1x1 projection to the teacher's features and begins with 1x1 convolutions of them. Nothing but
    linear maps lies between two stages, so `join` multiplies them into the weights of one ResNet.

    Args:
        whole: the stages start from its student, except for their first convolutions, which are new.

    Raises:
        ValueError: the student is not a ResNet of bottleneck blocks: only those begin with 1x1 convolutions.
    """

    def __init__(self, whole: Distillation):
        super().__init__()
        network = whole.student.network
        layers = [getattr(network, f"layer{number}", None) for number in (1, 2, 3, 4)]
        if not all(layer and hasattr(layer[0], "conv3") for layer in layers):
            raise ValueError(f"Only stages of bottleneck blocks can be taught apart; {whole.student.name} has others.")
        # `join` replaces the layers; the whole itself gives its heads, its teacher and the shape.
        self.whole = whole.requires_grad_(False)
        self.stages = nn.ModuleList([deepcopy(_first_stage(network))])
        for layer, projection in zip(layers[1:], self.heads.projections, strict=False):
            self.stages.append(_reading(layer, projection.out_channels))
        self.stages.requires_grad_(True)
        self.heads.requires_grad_(True)

    @property
    def heads(self) -> nn.Module:
        return self.whole.heads

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Losses for ``batch["pixels"]``, uint8 (B, 3, S, S), as those of the whole."""
        last, maps = self.whole.teacher(batch["pixels"])
        inputs = [self.whole.student.normalize(batch["pixels"]), *map(standardize, maps[:-1])]
        features = [stage(before) for stage, before in zip(self.stages, inputs, strict=True)]
        return self.whole.losses([*features, features[-1]], [*maps, last])

    @torch.no_grad()
    def join(self) -> Distillation:
        """The whole with what the stages have learned, as one ResNet."""
        joined = deepcopy(self.whole)
        network = joined.student.network
        _first_stage(network).load_state_dict(self.stages[0].state_dict())
        layers = (network.layer2, network.layer3, network.layer4)
        for layer, stage, projection in zip(layers, self.stages[1:], self.heads.projections, strict=False):
            weights = {name: value.clone() for name, value in stage.state_dict().items()}
            for convolution, norm in _entries(stage):
                weight = weights[f"{convolution}.weight"].flatten(1)
                weights[f"{convolution}.weight"] = (weight @ projection.weight.flatten(1))[..., None, None]
                # The projection's bias: BatchNorm, which comes next, subtracts it with its mean.
                weights[f"{norm}.running_mean"] -= weight @ projection.bias
            layer.load_state_dict(weights)
        return joined


def _first_stage(network: nn.Module) -> nn.Sequential:
    """The stem and the first layer: what reads the photo itself."""
    return nn.Sequential(network.conv1, network.bn1, network.act1, network.maxpool, network.layer1)


def _entries(stage: nn.Sequential) -> list[tuple[str, str]]:
    """The names of the 1x1 convolutions that read a stage's input, each with its BatchNorm's."""
    shortcut = [name for name, _ in stage[0].downsample.named_children()]
    return [("0.conv1", "0.bn1"), (f"0.downsample.{shortcut[-2]}", f"0.downsample.{shortcut[-1]}")]


def _reading(stage: nn.Sequential, channels: int) -> nn.Sequential:
    """A copy of a stage that reads so many channels, through new convolutions."""
    stage = deepcopy(stage)
    for name, _ in _entries(stage):
        old = stage.get_submodule(name)
        new = nn.Conv2d(channels, old.out_channels, 1, stride=old.stride, bias=False)
        nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")  # as timm begins
        stage.set_submodule(name, new)
    return stage
