"""Distillation: the student learns its teacher's class probabilities and its features."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from capmodel.model.backbone import GridEncoder
from train.fit import Batch
from train.objectives.teacher import Teacher, standardize


class Heads(nn.Module):
    """Layers that only training needs: 1x1 projections to the teacher's features, and an ImageNet classifier."""

    def __init__(self, student: GridEncoder, teacher: Teacher):
        super().__init__()
        ours = [info["num_chs"] for info in student.network.feature_info if info["reduction"] >= 4]
        theirs = [info["num_chs"] for info in teacher.network.feature_info if info["reduction"] >= 4]
        pairs = [*zip(ours, theirs, strict=True), (student.channels, teacher.channels)]
        self.projections = nn.ModuleList(nn.Conv2d(here, there, 1) for here, there in pairs)
        self.classifier = nn.Linear(student.channels, teacher.network.num_classes)

    def classify(self, last: Tensor) -> Tensor:
        """The student's last features (B, D, side, side) -> logits (B, 1000)."""
        return self.classifier(last.mean((2, 3)))


class Distillation(nn.Module):
    """The student, the frozen teacher, and the heads between them."""

    def __init__(self, student: GridEncoder, teacher: Teacher):
        super().__init__()
        self.student, self.teacher = student, teacher
        self.heads = Heads(student, teacher)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Losses for ``batch["pixels"]``, uint8 (B, 3, S, S); see `losses`."""
        last, stages = self.student.stages(batch["pixels"])
        target_last, target_stages = self.teacher(batch["pixels"])
        return self.losses([*stages, last], [*target_stages, target_last])

    def losses(self, ours: list[Tensor], theirs: list[Tensor]) -> dict[str, Tensor]:
        """How far the student is from the teacher, by their features at strides 4, 8, 16 and 32, and the last ones.

        Mean squared errors of features (Romero et al. 2015, "FitNets"), divergence of answers (Hinton et al. 2015,
        "Distilling the Knowledge in a Neural Network").
        """
        features = [
            F.mse_loss(project(here).float(), standardize(there))
            for project, here, there in zip(self.heads.projections, ours, theirs, strict=True)
        ]
        answer = F.kl_div(
            self.heads.classify(ours[-1]).float().log_softmax(-1),
            self.teacher.classify(theirs[-1]).float().log_softmax(-1),
            log_target=True,
            reduction="batchmean",
        )
        return {"loss": sum(features) + answer, "answer": answer, "features": features[-1]}

    @torch.no_grad()
    def agreement(self, pixels: Tensor) -> Tensor:
        """Whether student and teacher name the same ImageNet class first: bool (B,)."""
        (last, _), (target_last, _) = self.student.stages(pixels), self.teacher(pixels)
        return self.heads.classify(last).argmax(-1) == self.teacher.classify(target_last).argmax(-1)

    def save(self, folder: Path) -> None:
        """Writes the student as `GridEncoder.save` does, and ``heads.safetensors`` to go on from."""
        self.student.save(folder)
        save_file(self.heads.state_dict(), folder / "heads.safetensors")

    def load_heads(self, folder: Path) -> None:
        """Reads the heads from a folder, if it has some."""
        if (path := folder / "heads.safetensors").exists():
            self.heads.load_state_dict(load_file(path))
