"""Gives a ResNet's dead channels a second start.

A channel that is negative for every photo passes no gradient through its ReLU and never comes back. Here such channels
of the last two stages get BatchNorm's first values again (in the very last stage all do: its few living ones are quick
to learn), after which `train.distill --init` goes on.

    python -m train.revive --photos flickr8k/Images --init runs/resnet26d --out runs/reset
    python -m train.distill --photos flickr8k/Images coco_photos --init runs/reset --freeze 2 --out runs/revived
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from capmodel.backbone import GridEncoder
from capmodel.photos import list_photos, load_photo, squash

ALIVE = 0.01  # a channel is alive if it is positive in more than this share of all places
RESIDUAL_WEIGHT = 0.5  # of the BatchNorm at a block's end, where the shortcut is added


@torch.no_grad()
def living_channels(encoder: GridEncoder, pixels: Tensor) -> dict[str, Tensor]:
    """For each ReLU of the network, by its name, which channels are alive on pixels (B, 3, S, S): bool (C,)."""
    alive = {}
    relus = [(name, module) for name, module in encoder.network.named_modules() if isinstance(module, nn.ReLU)]

    def watch(name: str):
        return lambda _module, _inputs, output: alive.update({name: (output > 0).float().mean((0, 2, 3)) > ALIVE})

    handles = [module.register_forward_hook(watch(name)) for name, module in relus]
    encoder.eval()(pixels)
    for handle in handles:
        handle.remove()
    return alive


@torch.no_grad()
def revive(encoder: GridEncoder, alive: dict[str, Tensor]) -> int:
    """Resets BatchNorm's weight and bias of the dead channels in place; returns how many were dead."""
    dead_channels = 0
    for stage in ("layer3", "layer4"):
        for index, block in enumerate(getattr(encoder.network, stage)):
            for number in (1, 2, 3):
                dead = ~alive[f"{stage}.{index}.act{number}"]
                dead_channels += int(dead.sum())
                reset = torch.ones_like(dead) if stage == "layer4" else dead
                norms = [(getattr(block, f"bn{number}"), RESIDUAL_WEIGHT if number == 3 else 1.0)]
                if number == 3 and block.downsample is not None:
                    norms.append((block.downsample[-1], 1.0))
                for norm, weight in norms:
                    norm.weight[reset] = weight
                    norm.bias[reset] = 0
    return dead_channels


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="a folder of photos to watch the channels on")
    parser.add_argument("--init", type=Path, required=True, help="folder of the backbone, a ResNet of bottlenecks")
    parser.add_argument("--out", type=Path, required=True, help="folder for the revived backbone")
    options = parser.parse_args(arguments)
    encoder = GridEncoder.load(options.init)
    photos = list_photos(options.photos)
    squares = [squash(load_photo(photo), 160) for photo in photos[:: max(1, len(photos) // 80)][:80]]
    pixels = torch.stack([torch.from_numpy(square).permute(2, 0, 1) for square in squares])
    print(f"{revive(encoder, living_channels(encoder, pixels))} dead channels were reset.")
    encoder.save(options.out)


if __name__ == "__main__":
    main()
