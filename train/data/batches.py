"""Photos in batches, with captions or without: what all decoder training has in common."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from capmodel.decoding.tokenizer import END, PAD, START, Tokenizer
from train.data.datasets import Example
from train.data.mixture import Mixture
from train.fit import Batch


class Draw(NamedTuple):
    """One photo of a batch: its number, the view it is seen from, and randomness of its own."""

    photo: int
    view: int
    random: np.random.Generator


@dataclass(frozen=True, kw_only=True)
class PhotoBatches:
    """Batches of photos as a pure function of the step.

    A batch holds ``photo`` (B,), the photos' numbers (view * N + photo), and what `show` returns for them.

    Attributes:
        views: for each view, what `show` needs of each of N photos.
        batch_size: B, photos a process.
        mixture: the data sets that the N photos come from; by default they are one.
    """

    views: Sequence[Sequence]
    batch_size: int
    seed: int
    process: int = 0
    processes: int = 1
    mixture: Mixture | None = None

    def __call__(self, step: int) -> Batch:
        drawn = self.mine(self.draw(step))
        photos = torch.tensor([view * len(self.views[0]) + photo for photo, view, _ in drawn])
        return {**self.show(drawn), "photo": photos}

    def show(self, drawn: list[Draw]) -> Batch:
        """``grid`` (B, L, D), from views that are the photos' grids (N, L, D)."""
        return {"grid": torch.from_numpy(np.stack([self.views[view][photo] for photo, view, _ in drawn]))}

    def draw(self, step: int) -> list[Draw]:
        """The photos of a step for all processes, from the endless shuffled stream."""
        world = self.batch_size * self.processes
        mixture = self.mixture or Mixture([len(self.views[0])])
        drawn = []
        for position in range(step * world, (step + 1) * world):
            random = np.random.default_rng((self.seed, 1, position))
            photo = mixture(position, self.seed)
            drawn.append(Draw(photo, int(random.integers(len(self.views))), random))
        return drawn

    def mine(self, all_processes: list) -> list:
        """This process's share of what was drawn for all processes."""
        return all_processes[self.process * self.batch_size : (self.process + 1) * self.batch_size]


@dataclass(frozen=True, kw_only=True)
class CaptionBatches(PhotoBatches):
    """Batches of photos, each with K of its captions.

    A batch also holds ``tokens`` (B, K, T), and ``targets``, the number of tokens to predict in an average process.

    Attributes:
        captions: tokens of the captions of each photo, for each of `views`.
        per_photo: K. A photo with fewer captions shows some twice.
    """

    captions: Sequence[Sequence[Sequence[list[int]]]]
    per_photo: int

    def __call__(self, step: int) -> Batch:
        chosen = [self._choose(drawn) for drawn in self.draw(step)]  # of all processes: their lengths count
        tokens = [caption for captions in self.mine(chosen) for caption in captions]
        padded = torch.full((len(tokens), max(map(len, tokens))), PAD)
        for row, caption in zip(padded, tokens, strict=True):
            row[: len(caption)] = torch.tensor(caption)
        targets = sum(len(caption) - 1 for captions in chosen for caption in captions) / self.processes
        return {
            **super().__call__(step),
            "tokens": padded.view(self.batch_size, self.per_photo, -1),
            "targets": targets,
        }

    def _choose(self, drawn: Draw) -> list[list[int]]:
        captions = self.captions[drawn.view][drawn.photo]
        order = np.resize(drawn.random.permutation(len(captions)), self.per_photo)
        return [captions[index] for index in order]


def mirror_caption(text: str) -> str:
    """What is said of the mirrored photo: left and right change places."""
    swapped = {"left": "right", "right": "left"}
    return re.sub(r"\b(left|right)\b", lambda match: swapped[match[0].lower()], text, flags=re.IGNORECASE)


def captions_of(examples: Sequence[Example], mirrored: bool) -> list[list[str]]:
    """Each photo's captions, as they are or of the mirrored photo."""
    return [[mirror_caption(text) if mirrored else text for text in example.captions] for example in examples]


def encode_captions(tokenizer: Tokenizer, examples: Sequence[Example], mirrored: bool, longest: int = 40) -> list:
    """Tokens of each photo's captions, from start to end."""
    texts = captions_of(examples, mirrored)
    return [[[START, *tokenizer.encode(text)[:longest], END] for text in captions] for captions in texts]
