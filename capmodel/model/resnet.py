"""ResNet-D, the backbone of the published models, as in timm but without importing timm.

Importing timm takes longer than importing PyTorch: it imports hundreds of networks, torchvision and PyTorch's compiler.
Captioning needs a single network. Here it has timm's module names, so that weights fit both, and computes the same numbers.
"""

from typing import ClassVar

from torch import Tensor, nn

# The blocks in each of the four stages, by timm's name of the network.
BLOCKS = {
    "resnet26d": (2, 2, 2, 2),
    "resnet50d": (3, 4, 6, 3),
    "resnet101d": (3, 4, 23, 3),
    "resnet152d": (3, 8, 36, 3),
}
EXPANSION = 4  # a block's channels, over those of its 3 x 3 convolution


class ResNetD(nn.Module):
    """A residual network up to its last feature map.

    He et al. (2016), "Deep Residual Learning for Image Recognition"; in the variant D of He et al. (2019), "Bag of Tricks
    for Image Classification": three small convolutions at the start instead of a large one, and shortcuts that average
    where they halve the resolution.

    Args:
        blocks: the number of blocks in each of the four stages.

    Attributes:
        num_features: D, the channels of the last feature map.
        feature_info: the channels, stride and module name of the map after each stage, the first convolutions included.
        pretrained_cfg: how timm prepares photos for this network.
    """

    num_features: ClassVar = 512 * EXPANSION
    pretrained_cfg: ClassVar = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "interpolation": "bicubic"}

    def __init__(self, blocks: tuple[int, int, int, int]):
        super().__init__()
        self.conv1 = nn.Sequential(
            _convolution(3, 32, 3, stride=2),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
            _convolution(32, 32, 3),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
            _convolution(32, 64, 3),
        )
        self.bn1 = nn.BatchNorm2d(64)
        self.act1 = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(64, 64, blocks[0], stride=1)
        self.layer2 = _stage(256, 128, blocks[1], stride=2)
        self.layer3 = _stage(512, 256, blocks[2], stride=2)
        self.layer4 = _stage(1024, 512, blocks[3], stride=2)
        self.feature_info = [{"num_chs": 64, "reduction": 2, "module": "act1"}]
        for number, width in enumerate((64, 128, 256, 512), 1):
            info = {"num_chs": EXPANSION * width, "reduction": 2 ** (number + 1), "module": f"layer{number}"}
            self.feature_info.append(info)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)  # at first, a block changes nothing

    def forward_features(self, inputs: Tensor) -> Tensor:
        """Normalized pixels (B, 3, S, S) -> the last feature map (B, D, S / 32, S / 32)."""
        return self.forward_intermediates(inputs)[0]

    def forward_intermediates(self, inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The last feature map, and all maps of `feature_info`, the last one included."""
        maps = [self.act1(self.bn1(self.conv1(inputs)))]
        last = self.maxpool(maps[0])
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            last = stage(last)
            maps.append(last)
        return last, maps


class Bottleneck(nn.Module):
    """A residual block: the number of channels is reduced, a 3 x 3 convolution sees the neighbours, and it is expanded.

    Args:
        channels: of its input.
        width: channels of the 3 x 3 convolution; the block returns `EXPANSION` times as many.
        stride: 2 halves the resolution.
        reshapes: whether input and output differ in shape, so that the shortcut needs a convolution, too.
    """

    def __init__(self, channels: int, width: int, stride: int, reshapes: bool):
        super().__init__()
        self.conv1 = _convolution(channels, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.act1 = nn.ReLU(inplace=True)
        self.conv2 = _convolution(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.act2 = nn.ReLU(inplace=True)
        self.conv3 = _convolution(width, EXPANSION * width, 1)
        self.bn3 = nn.BatchNorm2d(EXPANSION * width)
        self.act3 = nn.ReLU(inplace=True)
        self.downsample = None
        if reshapes:
            self.downsample = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity(),
                _convolution(channels, EXPANSION * width, 1),
                nn.BatchNorm2d(EXPANSION * width),
            )

    def forward(self, inputs: Tensor) -> Tensor:
        """Maps (B, channels, H, W) -> (B, EXPANSION * width, H / stride, W / stride)."""
        change = self.act1(self.bn1(self.conv1(inputs)))
        change = self.act2(self.bn2(self.conv2(change)))
        change = self.bn3(self.conv3(change))
        change += inputs if self.downsample is None else self.downsample(inputs)
        return self.act3(change)


def _stage(channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    first = Bottleneck(channels, width, stride, reshapes=True)
    others = [Bottleneck(EXPANSION * width, width, 1, reshapes=False) for _ in range(blocks - 1)]
    return nn.Sequential(first, *others)


def _convolution(channels: int, out: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, out, size, stride, padding=size // 2, bias=False)
