"""Teaches the decoder to write captions: teacher forcing with cross-entropy on the grids of a frozen backbone.

    pip install -r train/requirements.txt
    python -m train.xe --data flickr8k --backbone runs/resnet26d --out runs/softmax

The finished model is the folder runs/softmax/model; `python -m capmodel PHOTO --model runs/softmax/model` uses it.
Several processes or GPUs: `torchrun --nproc-per-node 2 -m train.xe ...`; the batch size is of each process.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from capmodel.backbone import GridEncoder
from capmodel.decoder import Decoder
from capmodel.decoding import DecodeOptions, beam_search
from capmodel.model import TOKENIZER, CaptionModel, ModelConfig
from capmodel.tokenizer import END, PAD, START, Tokenizer
from train.crops import shuffled
from train.data import Example, load_split
from train.features import cached_grids
from train.loop import Batch, FitOptions, fit, make_accelerator
from train.scoring import quick_cider
from train.tokenizer import train_tokenizer


class TeacherForcing(nn.Module):
    """Cross-entropy of each token given the right tokens before it.

    Label smoothing: Szegedy et al. (2016), "Rethinking the Inception Architecture", section 7.
    """

    def __init__(self, decoder: Decoder, label_smoothing: float):
        super().__init__()
        self.decoder = decoder
        self.label_smoothing = label_smoothing

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The mean loss over the tokens of the batch of all processes.

        ``batch``: grid (B, L, D), tokens (B, K, T) from start to end, and the number ``targets`` of
        tokens to predict in an average process, so that the processes' mean weighs every token alike.
        """
        tokens = batch["tokens"]
        logits, _ = self.decoder(batch["grid"].float(), tokens[..., :-1])
        total = F.cross_entropy(
            logits.flatten(0, 2).float(),
            tokens[..., 1:].flatten(),
            ignore_index=PAD,
            label_smoothing=self.label_smoothing,
            reduction="sum",
        )
        return {"loss": total / batch["targets"]}


@dataclass(frozen=True)
class CaptionBatches:
    """Batches of photos, each with K of its captions, as a pure function of the step.

    Attributes:
        grids: the photos' grids (N, L, D), and if wanted those of the mirrored photos.
        captions: tokens of the captions of each photo, for each of `grids`.
        batch_size: photos a process.
        per_photo: K. A photo with fewer captions shows some twice.
    """

    grids: Sequence[np.ndarray]
    captions: Sequence[Sequence[Sequence[list[int]]]]
    batch_size: int
    per_photo: int
    seed: int
    process: int = 0
    processes: int = 1

    def __call__(self, step: int) -> Batch:
        world = self.batch_size * self.processes
        positions = range(step * world, (step + 1) * world)
        drawn = [self._draw(position) for position in positions]  # of all processes: their lengths count
        mine = drawn[self.process * self.batch_size : (self.process + 1) * self.batch_size]
        tokens = [caption for _, _, captions in mine for caption in captions]
        padded = torch.full((len(tokens), max(map(len, tokens))), PAD)
        for row, caption in zip(padded, tokens, strict=True):
            row[: len(caption)] = torch.tensor(caption)
        targets = sum(len(caption) - 1 for _, _, captions in drawn for caption in captions) / self.processes
        return {
            "grid": torch.from_numpy(np.stack([self.grids[side][photo] for photo, side, _ in mine])),
            "tokens": padded.view(self.batch_size, self.per_photo, -1),
            "targets": targets,
        }

    def _draw(self, position: int) -> tuple[int, int, list[list[int]]]:
        """The photo at a position of the endless shuffled stream, its side, and K of its captions."""
        random = np.random.default_rng((self.seed, 1, position))
        photo = shuffled(position, len(self.grids[0]), self.seed)
        side = int(random.integers(len(self.grids)))
        captions = self.captions[side][photo]
        order = np.resize(random.permutation(len(captions)), self.per_photo)
        return photo, side, [captions[index] for index in order]


def mirror_caption(text: str) -> str:
    """What is said of the mirrored photo: left and right change places."""
    swapped = {"left": "right", "right": "left"}
    return re.sub(r"\b(left|right)\b", lambda match: swapped[match[0].lower()], text, flags=re.IGNORECASE)


def encode_captions(tokenizer: Tokenizer, examples: Sequence[Example], mirrored: bool, longest: int = 40) -> list:
    """Tokens of each photo's captions, from start to end."""
    texts = [[mirror_caption(text) if mirrored else text for text in example.captions] for example in examples]
    return [[[START, *tokenizer.encode(text)[:longest], END] for text in captions] for captions in texts]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a captioned data set; layouts: see train/data.py")
    parser.add_argument("--backbone", type=Path, required=True, help="folder from train.distill")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model and the checkpoint")
    parser.add_argument("--features", type=Path, help="folder for the cached grids (default: in --out)")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=32, help="photos a step and process")
    parser.add_argument("--captions", type=int, default=5, help="captions a photo and step")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--label-smoothing", type=float, default=0.1)
    parser.add_argument("--vocabulary", type=int, default=4000)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--attention", type=int, default=256)
    parser.add_argument("--no-mirror", action="store_true", help="train on the photos as they are only")
    parser.add_argument("--ema", type=float, default=0.998, help="decay of the weights' moving average")
    parser.add_argument("--precision", choices=["no", "bf16", "fp16"], default="bf16")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)

    accelerator = make_accelerator(options.precision)
    torch.manual_seed(options.seed)
    examples, dev = load_split(options.data, "train"), load_split(options.data, "dev")
    encoder = GridEncoder.load(options.backbone)
    sides = (False,) if options.no_mirror else (False, True)
    photos = [example.photo for example in examples]
    features = options.features or options.out / "features"
    grids = [cached_grids(encoder, photos, features, accelerator, mirrored=mirrored) for mirrored in sides]
    dev_grids = cached_grids(encoder, [example.photo for example in dev], features, accelerator)

    tokenizer_file = options.out / "model" / TOKENIZER
    with accelerator.main_process_first():
        if not tokenizer_file.exists():
            train_tokenizer((text for e in examples for text in e.captions), tokenizer_file, options.vocabulary)
    tokenizer = Tokenizer(tokenizer_file)
    config = ModelConfig(
        backbone=encoder.name,
        image_size=encoder.image_size,
        vocabulary=len(tokenizer),
        hidden=options.hidden,
        attention=options.attention,
        dropout=options.dropout,
    )
    model = CaptionModel(config)
    model.encoder.load_state_dict(encoder.state_dict())
    task = TeacherForcing(model.decoder, options.label_smoothing)
    batches = CaptionBatches(
        grids=grids,
        captions=[encode_captions(tokenizer, examples, mirrored) for mirrored in sides],
        batch_size=options.batch_size,
        per_photo=options.captions,
        seed=options.seed,
        process=accelerator.process_index,
        processes=accelerator.num_processes,
    )
    per_epoch = max(1, len(examples) // (options.batch_size * accelerator.num_processes))

    def validate(task: TeacherForcing) -> dict[str, float]:
        captions = caption_grids(task.decoder, tokenizer, dev_grids, DecodeOptions(alternatives=0))
        return {"score": quick_cider([example.captions for example in dev], captions)}

    fit(
        task,
        batches,
        torch.optim.AdamW(task.parameters(), lr=options.learning_rate, weight_decay=0.01),
        FitOptions(
            steps=options.epochs * per_epoch,
            warmup=min(100, per_epoch),
            ema=options.ema,
            validate_every=per_epoch,
            save_every=min(100, per_epoch),
            seed=options.seed,
        ),
        options.out,
        accelerator,
        validate,
    )
    if accelerator.is_main_process:
        task.load_state_dict(load_file(options.out / "best.safetensors"))
        model.save(options.out / "model")
        accelerator.print(f"The model is in {options.out / 'model'}")


@torch.inference_mode()
def caption_grids(
    decoder: Decoder, tokenizer: Tokenizer, grids: np.ndarray, options: DecodeOptions, batch_size: int = 50
) -> list[str]:
    """The best caption of each of N grids (N, L, D)."""
    decoder.eval()
    device = decoder.output_bias.device
    captions = []
    for first in range(0, len(grids), batch_size):
        grid = torch.from_numpy(grids[first : first + batch_size].astype(np.float32)).to(device)
        found = beam_search(decoder, decoder.prepare(grid), options)
        captions += [tokenizer.decode(hypotheses[0].tokens) for hypotheses in found]
    return captions


if __name__ == "__main__":
    main()
