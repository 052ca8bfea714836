"""Training the decoder: our loop on cached grids, against the plain loop that tutorials teach."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from capmodel import Captioner
from capmodel.decoding.tokenizer import PAD
from capmodel.model.decoder import Decoder
from tests.benchmarks.photos import plain_encoder, time_in_turn, to_pixels
from train.data.batches import CaptionBatches, encode_captions
from train.data.datasets import Example
from train.data.grids import cached_grids
from train.fit import make_accelerator
from train.objectives.teacher_forcing import TeacherForcing
from train.release.gallery import PHOTOS, descriptions

BATCH, CAPTIONS = 32, 5  # photos a step, and captions of each
EPOCH = 6000  # photos, as Flickr8k's training split has


def measure_training(rounds: int) -> dict:
    """Captions a second in training with cross-entropy, over those of the plain loop; both with a frozen backbone.

    The plain loop reads 32 photos a step from their files, encodes them in fp32, and goes step by step through one
    padded caption of each. Ours takes the grids from the cache and five captions a photo, in bf16 where the
    device has it. The photos are the example photos, over and over, with descriptions of five of them each.
    """
    captioner = Captioner.from_pretrained()
    seen = descriptions((PHOTOS / "CREDITS.md").read_text(encoding="utf-8"))
    names = [list(seen)[number % len(seen)] for number in range(2 * BATCH)]
    texts = [[seen[names[(number + other) % len(names)]] for other in range(CAPTIONS)] for number in range(len(names))]
    examples = [Example(PHOTOS / name, tuple(captions)) for name, captions in zip(names, texts, strict=True)]
    tokens = encode_captions(captioner.tokenizer, examples, mirrored=False)
    accelerator = make_accelerator("auto")
    with tempfile.TemporaryDirectory() as folder:
        photos = [example.photo for example in examples]
        folders = (Path(folder, str(number)) for number in range(rounds + 1))  # empty, so that all are computed
        cache = time_in_turn(
            {"cache": lambda: cached_grids(captioner.model.encoder, photos, next(folders), accelerator)}, rounds
        )
        grids = cached_grids(captioner.model.encoder, photos, Path(folder), accelerator)
        batches = CaptionBatches(views=[grids], captions=[tokens], batch_size=BATCH, per_photo=CAPTIONS, seed=0)
        ours = _our_steps(Captioner.from_pretrained().model.decoder, batches, accelerator)
        plain = _plain_steps(Captioner.from_pretrained(), examples, tokens)
        steps = time_in_turn({"ours": lambda: next(ours), "plain": lambda: next(plain)}, rounds)
    ours_speed, plain_speed = BATCH * CAPTIONS / steps["ours"], BATCH / steps["plain"]
    return {
        "ratios": {"training, captions a second, ours / plain loop": ours_speed / plain_speed},
        "captions_a_second": {"ours": ours_speed, "plain loop": plain_speed},
        f"seconds for {EPOCH} photos": {
            "cache of grids": cache["cache"] / len(photos) * EPOCH,
            "epoch": steps["ours"] / BATCH * EPOCH,
        },
    }


def _our_steps(decoder: Decoder, batches: CaptionBatches, accelerator: Accelerator) -> Iterator[None]:
    task = TeacherForcing(decoder.train())
    task, optimizer = accelerator.prepare(task, torch.optim.AdamW(decoder.parameters(), lr=1e-6))
    step = 0
    while True:
        accelerator.backward(task({**batches(step), "temperature": 1.0})["loss"])
        accelerator.clip_grad_norm_(task.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        yield


def _plain_steps(captioner: Captioner, examples: list[Example], tokens: list[list[list[int]]]) -> Iterator[None]:
    encoder, decoder = plain_encoder(captioner), captioner.model.decoder.train()
    optimizer = torch.optim.Adam(decoder.parameters(), lr=1e-6)
    while True:
        grid = encoder(to_pixels([captioner.load_square(example.photo) for example in examples[:BATCH]]))
        loss = _plain_loss(decoder, grid, _pad([captions[0] for captions in tokens[:BATCH]]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield


def _plain_loss(decoder: Decoder, grid: Tensor, tokens: Tensor) -> Tensor:
    """Cross-entropy, one step after the other: grid (B, L, D), tokens (B, T)."""
    memory = decoder.prepare(grid)
    state, logits = decoder.start(memory, 1), []
    for column in tokens[:, :-1].unbind(1):
        step_logits, state, _ = decoder.step(column[:, None], state, memory)
        logits.append(step_logits)
    return F.cross_entropy(torch.cat(logits, 1).flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=PAD)


def _pad(captions: list[list[int]]) -> Tensor:
    return pad_sequence([torch.tensor(each) for each in captions], batch_first=True, padding_value=PAD)
