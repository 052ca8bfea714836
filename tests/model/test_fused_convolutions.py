"""Fused convolutions compute what the convolution, the sum and the ReLU do, one after the other."""

import pytest
import torch
from torch import fx, nn

from capmodel.model import fast_encoder
from capmodel.model.backbone import GridEncoder
from capmodel.model.fast_encoder import FastEncoder, has_bfloat16
from capmodel.model.fused_convolutions import FusedConvolution, fuse_convolutions, has_kernels

pytestmark = pytest.mark.skipif(not has_kernels(), reason="PyTorch has no such kernels for this processor")


class Block(nn.Module):
    """What networks do after a convolution."""

    def __init__(self, way: str):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.second = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2)
        self.relu = nn.ReLU(inplace=True)
        self.way = way

    def forward(self, inputs):
        shortcut = self.first(inputs)
        if self.way == "alone":
            return self.second(shortcut)
        if self.way == "relu":
            return self.relu(self.second(self.relu(shortcut)))
        found = self.second(shortcut)
        if self.way == "sum, read twice":
            total = found + shortcut
            return self.relu(total) + total.mean()
        if self.way == "result read twice":
            return self.relu(found + shortcut) + found
        if self.way == "shortcut read later":
            return self.relu(found + shortcut) * shortcut
        if self.way == "sum with itself":
            return found + found
        if self.way == "number added":
            return self.relu(found + 1)
        found += shortcut
        return self.relu(found) if self.way == "sum and relu" else found


FUSED = {  # how many operations are left, besides input and output
    "alone": 2,
    "relu": 2,
    "sum": 2,
    "sum and relu": 2,
    "sum, read twice": 5,
    "result read twice": 5,
    "shortcut read later": 3,
    "sum with itself": 3,
    "number added": 4,
}


@pytest.mark.parametrize("way", FUSED)
@torch.inference_mode()
def test_what_follows_is_computed_too(way):
    torch.manual_seed(0)
    block = Block(way).eval()
    photos = torch.randn(2, 3, 16, 16).to(memory_format=torch.channels_last)
    expected = block(photos.clone())
    fused = fuse_convolutions(fx.symbolic_trace(block), photos[:1])
    for _ in range(2):  # nothing is overwritten
        torch.testing.assert_close(fused(photos), expected, rtol=1e-4, atol=1e-5)
    assert len(fused.graph.nodes) - 2 == FUSED[way], fused.code


@pytest.mark.parametrize("name", ["resnet26d", "resnet18", "densenet121"])
@pytest.mark.parametrize(
    "precision", ["fp32", pytest.param("bf16", marks=pytest.mark.skipif(not has_bfloat16(), reason="needs bf16"))]
)
@torch.inference_mode()
def test_backbones_are_made_of_them(name, precision):
    torch.manual_seed(0)
    encoder = GridEncoder(name, image_size=64).eval()
    quick = FastEncoder(encoder, precision)
    photos = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    found, expected = quick(photos), encoder(photos)
    network = fast_encoder._prepared(encoder, torch.bfloat16 if precision == "bf16" else torch.float32)
    assert any(isinstance(module, FusedConvolution) for module in network.modules())
    assert not any(isinstance(module, nn.Conv2d) for module in network.modules())
    assert (found - expected).norm() < {"fp32": 1e-4, "bf16": 0.05}[precision] * expected.norm()
