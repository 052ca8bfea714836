"""Trainings as each of their processes sees them, by any launcher.

    python -m tests.support.together FOLDER BATCH_SIZE [ARGUMENTS_OF_XE ...]

First a short one, which leaves in the folder, a file a process, which photos it met at each step and its weights in the
end. Then train.xe with each of the arguments.
"""

import shlex
import sys
from pathlib import Path

import numpy as np
import torch

from capmodel.decoding.tokenizer import END, START
from capmodel.model.decoder import Decoder
from train import xe
from train.data.batches import CaptionBatches
from train.fit import Batch, FitOptions, fit, make_accelerator
from train.objectives.teacher_forcing import Regularization, TeacherForcing

STEPS, PHOTOS = 12, 24


def train(folder: Path, batch_size: int) -> None:
    accelerator = make_accelerator()
    torch.manual_seed(accelerator.process_index)  # they begin with other weights, and must come to agree
    decoder = Decoder(channels=8, vocabulary=PHOTOS + 8, hidden=16, attention_size=8, dropout=0.0, normalizer="softmax")
    batches = CaptionBatches(
        views=[np.random.default_rng(0).normal(size=(PHOTOS, 4, 8)).astype(np.float16)],
        captions=[[[[START, 4 + photo, *([5] * (photo % 3)), END]] for photo in range(PHOTOS)]],
        batch_size=batch_size,
        per_photo=1,
        seed=0,
        process=accelerator.process_index,
        processes=accelerator.num_processes,
    )
    met: dict[int, list[int]] = {}

    def batch_at(step: int) -> Batch:
        batch = batches(step)
        met[step] = batch["photo"].tolist()
        return {**batch, "temperature": 1.0}

    task = TeacherForcing(decoder, Regularization(label_smoothing=0.0))
    optimizer = torch.optim.SGD(task.parameters(), lr=0.5)  # Adam would make much of rounding errors
    fit(task, batch_at, optimizer, FitOptions(steps=STEPS, warmup=2, save_every=STEPS), folder, accelerator)
    left = {"processes": accelerator.num_processes, "photos": met, "weights": task.state_dict()}
    torch.save(left, folder / f"process-{accelerator.process_index}.pt")


def main(arguments: list[str]) -> None:
    folder, batch_size, *lines = arguments
    train(Path(folder), int(batch_size))
    for line in lines:
        xe.main(shlex.split(line))


if __name__ == "__main__":
    main(sys.argv[1:])
