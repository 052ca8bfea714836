"""Captioned grids in batches, and captions of grids: what all decoder training has in common."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from capmodel.decoder import Decoder
from capmodel.decoding import DecodeOptions, beam_search
from capmodel.tokenizer import END, PAD, START, Tokenizer
from train.crops import shuffled
from train.data import Example
from train.loop import Batch


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
