"""Dead channels are found, and live again."""

import torch

from capmodel.backbone import GridEncoder
from train.revive import living_channels, revive


def test_dead_channels_are_found_and_live_again():
    torch.manual_seed(0)
    encoder = GridEncoder("resnet26d", image_size=64)
    pixels = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    encoder.train()(pixels)  # BatchNorm's statistics, so that the random network is alive in eval mode too
    for norm in (encoder.network.layer3[0].bn3, encoder.network.layer3[0].downsample[-1]):
        torch.nn.init.constant_(norm.bias[:10], -50)
    before = living_channels(encoder, pixels)["layer3.0.act3"]
    assert not before[:10].any()
    assert before[10:].float().mean() > 0.5
    kept = encoder.network.layer3[0].bn3.weight[before].clone()
    assert revive(encoder, living_channels(encoder, pixels)) >= 10
    assert living_channels(encoder, pixels)["layer3.0.act3"][:10].float().mean() > 0.5
    assert torch.equal(encoder.network.layer3[0].bn3.weight[before], kept)
