"""Trains backbone and decoder together on captions: the backbone's last stages learn to see what is talked about.

    pip install -r train/requirements.txt
    python -m train.finetune --data flickr8k --init runs/softmax/model --out runs/finetuned

Every photo is cropped anew each time and maybe mirrored, so nothing is cached. A few thousand captioned photos are soon
known by heart; so the backbone is held near its teacher, whose features it must still predict (as in train.distill), and
the decoder does not get to read every word before the next one. The defaults are those of the bundled model; with
--on-device they take minutes on a GPU, without it hours on a processor.
The finished model is the folder runs/finetuned/model. Decoders that shared the old backbone need train.xe again.
"""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from capmodel import Captioner
from capmodel.decoding.beam_search import DecodeOptions
from capmodel.model.backbone import GridEncoder
from capmodel.photos import load_photo
from train.data.batches import CaptionBatches, Draw, caption_grids, encode_captions
from train.data.crops import DeviceCrops, gentle_boxes, gentle_crop, load_squares
from train.data.datasets import load_sets
from train.data.grids import encode_photos
from train.data.mixture import Mixture
from train.fit import LOADERS, MIXED_PRECISIONS, Batch, FitOptions, fit, make_accelerator
from train.metrics.captions import quick_ciders
from train.objectives.teacher import Teacher, freeze, standardize
from train.objectives.teacher_forcing import Regularization, TeacherForcing
from train.options import add_data

ANCHOR_BATCHES = 32  # that the projection to the teacher's features is fitted to


@dataclass(frozen=True, kw_only=True)
class CropBatches(CaptionBatches):
    """Batches of photos, each cropped anew, with K of its captions; its `views` are lists of files.

    Attributes:
        size: S, of the square that a crop is squashed to.
        least: share of a photo's height, and of its width, that a crop shows at least.
    """

    size: int
    least: float

    def show(self, drawn: list[Draw]) -> Batch:
        """``pixels``, uint8 (B, 3, S, S)."""
        crops = []
        for photo, view, random in drawn:
            crop = gentle_crop(load_photo(self.views[view][photo]), self.size, random, self.least)
            crops.append(crop[:, ::-1] if view else crop)
        return {"pixels": torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)}


@dataclass(frozen=True, kw_only=True)
class DeviceCropBatches(CropBatches):
    """The same from photos that lie in a GPU's memory, where they are cropped."""

    crops: DeviceCrops

    def show(self, drawn: list[Draw]) -> Batch:
        boxes = [gentle_boxes([bool(draw.view)], self.least, draw.random) for draw in drawn]
        return {"pixels": self.crops.cut([draw.photo for draw in drawn], np.concatenate(boxes), self.size)}


class FineTuning(nn.Module):
    """Teacher forcing through the backbone, and how far the backbone is from its teacher.

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


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser, weights=True)
    parser.add_argument("--init", required=True, help="the model to go on from")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model and the checkpoint")
    parser.add_argument("--freeze", type=int, default=1, metavar="N", help="keep the stem and the first N stages of the "
                        "backbone as they are")  # fmt: skip
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--batch-size", type=int, default=64, help="photos a step and process")
    parser.add_argument("--captions", type=int, default=5, help="captions a photo and step")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="of the decoder")
    parser.add_argument("--backbone-learning-rate", type=float, default=1e-3)
    parser.add_argument("--anchor", type=float, default=0.1, help="weight of what holds the backbone near its teacher")
    parser.add_argument("--dropout", type=float, default=0.5)
    parser.add_argument("--label-smoothing", type=float, default=Regularization.label_smoothing)
    parser.add_argument("--cell-dropout", type=float, default=0.0, help="probability of a cell to be hidden")
    parser.add_argument("--word-dropout", type=float, default=0.2, help="probability of a token to be read as unknown")
    parser.add_argument("--smallest-crop", type=float, default=0.7, metavar="SHARE", help="of a photo's height, and of its "
                        "width, that a crop shows at least")  # fmt: skip
    parser.add_argument("--on-device", action="store_true", help="hold the photos in the device's memory, 0.2 MB each, and "
                        "crop them there")  # fmt: skip
    parser.add_argument("--validate-every", type=int, default=3, metavar="N", help="epochs")
    parser.add_argument("--temperature", type=float, default=0.3, help="of hard attention")
    parser.add_argument("--ema", type=float, default=0.998, help="decay of the weights' moving average")
    parser.add_argument("--precision", choices=MIXED_PRECISIONS, default="auto")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)

    accelerator = make_accelerator(options.precision)
    torch.manual_seed(options.seed)
    sets, dev = load_sets(options.data, "train"), load_sets(options.data, "dev")
    examples = [example for data in sets for example in data.examples]
    mixture = Mixture([len(data.examples) for data in sets], options.weights)
    captioner = Captioner.from_pretrained(options.init)
    model, tokenizer = captioner.model, captioner.tokenizer
    model.decoder.dropout.p = options.dropout
    freeze(model.encoder, options.freeze)
    regularization = Regularization(
        label_smoothing=options.label_smoothing,
        cell_dropout=options.cell_dropout,
        word_dropout=options.word_dropout,
    )
    task = FineTuning(model.encoder, TeacherForcing(model.decoder, regularization), options.anchor)
    task.to(accelerator.device, memory_format=torch.channels_last)
    photos = [example.photo for example in examples]
    make_batches = CropBatches
    if options.on_device:
        crops = DeviceCrops(load_squares(photos, accelerator.device, model.encoder.image_size, LOADERS))
        make_batches = partial(DeviceCropBatches, crops=crops)
    batches = make_batches(
        views=[photos] * 2,
        captions=[encode_captions(tokenizer, examples, mirrored) for mirrored in (False, True)],
        size=model.encoder.image_size,
        least=options.smallest_crop,
        batch_size=options.batch_size,
        per_photo=options.captions,
        seed=options.seed,
        process=accelerator.process_index,
        processes=accelerator.num_processes,
        mixture=mixture,
    )
    per_epoch = max(1, len(examples) // (options.batch_size * accelerator.num_processes))

    if options.anchor:
        accelerator.print("Fitting the projection to the teacher's features ...")
        shown = (batches(step)["pixels"].to(accelerator.device) for step in range(ANCHOR_BATCHES))
        with accelerator.autocast():
            task.fit_projection(shown)

    def batch_at(step: int) -> Batch:
        return {**batches(step), "temperature": options.temperature}

    def validate(task: FineTuning) -> dict[str, float]:
        captions = []
        for data in dev:
            grids = np.concatenate(list(encode_photos(task.encoder, data.photos, accelerator)))
            captions.append(caption_grids(task.captions.decoder, tokenizer, grids, DecodeOptions(alternatives=0)))
        return quick_ciders(dev, captions)

    backbone = [parameter for parameter in task.encoder.parameters() if parameter.requires_grad]
    others = [parameter for name, parameter in task.named_parameters() if not name.startswith(("encoder.", "teacher."))]
    groups = [{"params": others}, {"params": backbone, "lr": options.backbone_learning_rate}]
    fit(
        task,
        batch_at,
        torch.optim.AdamW(groups, lr=options.learning_rate, weight_decay=0.01),
        FitOptions(
            steps=options.epochs * per_epoch,
            warmup=min(100, per_epoch),
            ema=options.ema,
            validate_every=options.validate_every * per_epoch,
            save_every=min(100, per_epoch),
            seed=options.seed,
        ),
        options.out,
        accelerator,
        validate,
    )
    if accelerator.is_main_process:
        task.load_state_dict(load_file(options.out / "best.safetensors"))
        Captioner(model, tokenizer).save_pretrained(options.out / "model")
        accelerator.print(f"The model is in {options.out / 'model'}")


if __name__ == "__main__":
    main()
