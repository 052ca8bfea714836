"""Fine-tuning: backbone and decoder learn together, and the backbone stays near its teacher."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from capmodel.model.backbone import GridEncoder
from train.fit import Batch
from train.objectives.teacher import Teacher, standardize
from train.objectives.teacher_forcing import TeacherForcing


class FineTuning(nn.Module):
    """Teacher forcing through the backbone, plus a penalty on its distance from the teacher.

    BatchNorm keeps its statistics: those of a few crops would be noise. Where the anchor is used, call
    `fit_projection` first: a random projection would drag the backbone away before it is learned.

    Args:
        anchor: weight of the mean squared error of the teacher's last features, each of variance 1, as a
            linear layer predicts them from the grid; 0 needs no teacher.
    """

    def __init__(self, encoder: GridEncoder, captions: TeacherForcing, anchor: float):
        super().__init__()
        self.encoder, self.captions, self.anchor = encoder, captions, anchor
        if anchor:
            self.teacher = Teacher()
            self.projection = nn.Linear(encoder.channels, self.teacher.channels)

    def train(self, mode: bool = True) -> "FineTuning":
        super().train(mode)
        self.encoder.eval()
        return self

    @torch.no_grad()
    def fit_projection(self, batches: Iterable[Tensor], ridge: float = 1.0) -> None:
        """Sets the projection to the one of least squares for some pixels, each uint8 (B, 3, S, S).

        Args:
            ridge: what is added to the grid's variances, as a share of their mean. The cells of a photo are much
                alike, so a weak one learns these photos by heart: with 1e-3, 512 of Flickr8k's had an error of
                0.54 and others 0.88; with 1, 0.64 and 0.77.
        """
        squares, products = 0, 0
        for pixels in batches:
            inputs = F.pad(self.encoder(pixels).float().flatten(0, 1), (0, 1), value=1.0)
            outputs = self._target(pixels).flatten(0, 1)
            # Sums of many squares need more digits than bfloat16 has.
            with torch.autocast(inputs.device.type, enabled=False):
                squares += inputs.T @ inputs
                products += inputs.T @ outputs
        squares.diagonal()[:-1] += ridge * squares.diagonal()[:-1].mean()
        solution = torch.linalg.solve(squares, products)
        self.projection.weight.copy_(solution[:-1].T)
        self.projection.bias.copy_(solution[-1])

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Losses for ``pixels``, uint8 (B, 3, S, S), and what `TeacherForcing` needs besides a grid."""
        grid = self.encoder(batch["pixels"])
        losses = {"captions": self.captions({**batch, "grid": grid})["loss"]}
        if self.anchor:
            losses["anchor"] = F.mse_loss(self.projection(grid).float(), self._target(batch["pixels"]))
        return {"loss": losses["captions"] + self.anchor * losses.get("anchor", 0), **losses}

    def _target(self, pixels: Tensor) -> Tensor:
        """The teacher's last features (B, L, D)."""
        last, _ = self.teacher(pixels)
        return standardize(last).flatten(2).transpose(1, 2)
