"""The training loop and its objectives: it learns, resumes exactly, and runs the same on two processes."""

import json
import os
import shlex
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from support.commands import run
from support.shapes import make_shapes
from timm.optim import muon
from torch import nn

from capmodel.decoding.tokenizer import END, PAD, START, UNKNOWN
from capmodel.model.backbone import GridEncoder
from capmodel.model.decoder import Decoder
from capmodel.model.normalizers import NORMALIZERS
from capmodel.photos import PhotoError, load_photo
from train import distill
from train import fit as loop
from train.data.batches import CaptionBatches, mirror_caption
from train.data.crops import DeviceCrops, crop_batch, load_squares, mixup, random_crop, shuffled
from train.data.datasets import load_split
from train.data.grids import View, cached_grids, encode_photos
from train.fit import FitOptions, learning_rate_factor
from train.metrics.attention import entropy
from train.objectives.teacher import TeacherGrid
from train.objectives.teacher_forcing import (
    Regularization,
    TeacherForcing,
    anneal,
    drop_cells,
    drop_words,
    unevenness,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_shapes(tmp_path_factory.mktemp("shapes"), photos=40, size=48)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("backbone")
    torch.manual_seed(0)
    GridEncoder("test_resnet", image_size=64).save(folder)
    return folder


def make_batches(count=6, **changes):
    random = np.random.default_rng(0)
    grids = [random.normal(size=(count, 4, 8)).astype(np.float16)]
    captions = [
        [[[START, 4 + photo, 5 + k, END][: 4 - k % 2] + [END] * (k % 2) for k in range(3)] for photo in range(count)]
    ]
    return CaptionBatches(
        **{"views": grids, "captions": captions, "batch_size": 4, "per_photo": 2, "seed": 0, **changes}
    )


def make_batch():
    return {**make_batches()(0), "temperature": 1.0}


def make_task(normalizer="softmax", hidden=16, **penalties):
    decoder = Decoder(channels=8, vocabulary=12, hidden=hidden, attention_size=8, dropout=0.0, normalizer=normalizer)
    return TeacherForcing(decoder, Regularization(**{"label_smoothing": 0.0, **penalties}))


def mean_loss(task, batch, read):
    """Of the batch's tokens but the start and the padding, when the decoder reads others."""
    logits, _ = task.decoder(batch["grid"].float(), read)
    targets = batch["tokens"][..., 1:]
    chosen = logits.log_softmax(-1).gather(-1, targets[..., None])[..., 0]
    return -chosen[targets != PAD].mean()


@pytest.mark.parametrize("normalizer", NORMALIZERS)
def test_overfits_one_batch(normalizer):
    torch.manual_seed(0)
    task = make_task(normalizer, hidden=32)
    optimizer = torch.optim.AdamW(task.parameters(), lr=1e-2)
    batch = make_batch()
    batch["tokens"] = batch["tokens"][:, :1]  # one caption a photo: several could not all be certain
    batch["targets"] = (batch["tokens"][..., 1:] != PAD).sum().item()
    losses = []
    for _ in range(150):
        losses.append(task(batch)["loss"])
        losses[-1].backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[0] > 2
    assert losses[-1] < 0.05


def test_loss_is_the_mean_over_tokens_and_padding_counts_for_nothing():
    torch.manual_seed(0)
    task, batch = make_task(), make_batch()
    padded = torch.cat([batch["tokens"], torch.full_like(batch["tokens"], PAD)], -1)
    torch.testing.assert_close(task({**batch, "tokens": padded})["loss"], task(batch)["loss"])
    torch.testing.assert_close(task(batch)["loss"], mean_loss(task, batch, batch["tokens"][..., :-1]))


def test_penalties_add_what_they_say():
    torch.manual_seed(0)
    batch, real = make_batch(), (make_batch()["tokens"][..., 1:] != PAD).float()
    losses = {}
    for name in (None, "entropy", "doubly_stochastic"):
        torch.manual_seed(1)
        task = make_task(**{name: 0.5} if name else {})
        losses[name] = task(batch)["loss"]
    _, weights = task.decoder(batch["grid"].float(), batch["tokens"][..., :-1])
    mean_entropy = (-(weights * weights.log()).sum(-1) * real).sum() / real.sum()
    torch.testing.assert_close(losses["entropy"] - losses[None], 0.5 * mean_entropy)
    given = (weights * real[..., None]).sum(2) / real.sum(-1)[..., None] * weights.shape[-1]
    expected = (((1 - given) ** 2).mean(-1) * real.sum(-1)).sum() / real.sum()
    torch.testing.assert_close(losses["doubly_stochastic"] - losses[None], 0.5 * expected)


def test_entropy_and_unevenness_at_their_ends():
    flat, sharp = torch.full((1, 1, 2, 4), 0.25), torch.eye(4)[None, None, [1, 1]]
    assert entropy(flat).tolist() == [[pytest.approx([np.log(4)] * 2)]]
    assert entropy(sharp).tolist() == [[[0, 0]]]
    assert unevenness(flat, torch.ones(1, 1, 2)).item() == pytest.approx(0)
    assert unevenness(sharp, torch.ones(1, 1, 2)).item() == pytest.approx((9 + 1 + 1 + 1) / 4)


def test_dropped_cells_are_the_mean_of_the_grid():
    torch.manual_seed(0)
    grid = torch.randn(8, 64, 3)
    dropped = drop_cells(grid, 0.25)
    hidden = (dropped != grid).any(-1)
    assert hidden.float().mean().item() == pytest.approx(0.25, abs=0.05)
    assert torch.equal(dropped[hidden], grid.mean(1, keepdim=True).expand_as(grid)[hidden])
    assert drop_cells(grid, 0) is grid


def test_dropped_words_are_unknown_but_captions_keep_their_start_and_their_targets():
    torch.manual_seed(0)
    tokens = torch.full((8, 5, 20), 7)
    tokens[..., 0] = START
    read = drop_words(tokens, 0.25)
    assert (read[..., 0] == START).all()
    assert (read[..., 1:] == UNKNOWN).float().mean().item() == pytest.approx(0.25, abs=0.05)
    assert ((read == tokens) | (read == UNKNOWN)).all()

    task, batch = make_task(word_dropout=1.0), make_batch()
    unread = batch["tokens"][..., :-1].masked_fill(batch["tokens"][..., :-1] != START, UNKNOWN)
    torch.testing.assert_close(task(batch)["loss"], mean_loss(task, batch, unread))


def test_temperature_falls_from_first_to_last():
    temperatures = [anneal(step, 5, 1.0, 0.25) for step in range(5)]
    assert temperatures == pytest.approx([1, 0.7071, 0.5, 0.3536, 0.25], abs=1e-4)


def test_two_processes_share_the_batch_of_one():
    whole = make_batches(batch_size=4)
    halves = [make_batches(batch_size=2, process=process, processes=2) for process in range(2)]
    for step in range(3):
        batch, parts = whole(step), [half(step) for half in halves]
        assert torch.equal(batch["grid"], torch.cat([part["grid"] for part in parts]))
        assert sum(part["targets"] for part in parts) == batch["targets"]


def test_every_epoch_meets_every_photo_in_another_order():
    orders = [[shuffled(epoch * 7 + position, 7, seed=0) for position in range(7)] for epoch in range(3)]
    assert all(sorted(order) == list(range(7)) for order in orders)
    assert len(set(map(tuple, orders))) == 3


def test_learning_rate_warms_up_and_falls():
    options = FitOptions(steps=100, warmup=10)
    factors = [learning_rate_factor(step, options) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == factors[9] == pytest.approx(1)
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[-1] < 0.01


def test_mirrored_captions_swap_left_and_right():
    assert mirror_caption("A man on the left looks right .") == "A man on the right looks left ."
    assert mirror_caption("A bright light leftover .") == "A bright light leftover ."


def test_crops_are_a_function_of_their_position(data):
    photos = [example.photo for example in load_split(data, "train")]
    batch = crop_batch(photos, range(4, 8), 32, seed=1)
    assert (batch.shape, batch.dtype) == ((4, 3, 32, 32), torch.uint8)
    assert torch.equal(batch[2:], crop_batch(photos, range(6, 8), 32, seed=1))
    assert not torch.equal(batch, crop_batch(photos, range(4, 8), 32, seed=2))


def test_crops_cut_on_the_device_show_random_parts_of_their_photos(tmp_path):
    x, y = np.meshgrid(np.arange(256), np.arange(256))
    photos = [tmp_path / f"{blue}.png" for blue in (0, 100, 200)]
    for photo in photos:
        Image.fromarray(np.stack([x, y, np.full_like(x, int(photo.stem))], -1).astype(np.uint8)).save(photo)
    cut = DeviceCrops(load_squares(photos, torch.device("cpu")))
    for size in (64, 192):
        crops = cut(range(300, 600), size, seed=1)
        assert (crops.shape, crops.dtype) == ((300, 3, size, size), torch.uint8)
        assert crops.is_contiguous(memory_format=torch.channels_last)
        expected = torch.tensor([int(photos[shuffled(position, 3, 1)].stem) for position in range(300, 600)])
        assert (crops[:, 2] == expected[:, None, None]).all()
        red, green = crops[:, 0].float(), crops[:, 1].float()
        assert (red - red[:, :1]).abs().max() <= 1  # upright, whether mirrored or not
        assert (green - green[:, :, :1]).abs().max() <= 1
        width, height = (
            (red[:, 0, -1] - red[:, 0, 0]) / (size - 1) * size,
            (green[:, -1, 0] - green[:, 0, 0]) / (size - 1) * size,
        )
        assert 0.4 < (width < 0).float().mean() < 0.6
        area, ratio = width.abs() * height / 256**2, width.abs() / height
        assert 0.19 < area.min() < 0.23
        assert 0.95 < area.max() < 1.02
        assert 0.73 < ratio.min() < 0.8
        assert 1.25 < ratio.max() < 1.36
        assert red.min() < 10  # from the photo's edge
        assert red.max() > 245  # to its edge
    assert torch.equal(cut(range(8), 64, seed=1), cut(range(8), 64, seed=1))
    assert not torch.equal(cut(range(8), 64, seed=1), cut(range(8), 64, seed=2))


def test_mixup_lays_the_crop_before_over_a_share_of_them():
    crops = torch.tensor([0, 100, 200, 50], dtype=torch.uint8).view(4, 1, 1, 1).expand(4, 3, 2, 2)
    seen = torch.stack([mixup(crops, 0.5, np.random.default_rng(seed)) for seed in range(50)])
    assert seen.dtype == torch.uint8
    assert torch.equal(seen[:, 2:], crops[2:].expand(50, 2, 3, 2, 2))
    for index, ends in enumerate([(0, 50), (0, 100)]):
        values = seen[:, index].flatten(1)
        assert (values == values[:, :1]).all()
        assert ends[0] <= values.min() < ends[0] + 0.1 * ends[1]
        assert 0.9 * ends[1] < values.max() <= ends[1]
    assert torch.equal(mixup(crops, 0.0, np.random.default_rng(0)), crops)


def test_crops_lie_inside_the_photo():
    photo = np.zeros((40, 90, 3), np.uint8)
    photo[..., 0] = np.arange(90)
    for seed in range(50):
        crop = random_crop(photo, 16, np.random.default_rng(seed))
        assert crop.shape == (16, 16, 3)
        assert crop[..., 0].max() <= 91


def test_grids_are_cached_and_found_again(data, backbone, tmp_path, monkeypatch):
    encoder, accelerator = GridEncoder.load(backbone).eval(), Accelerator(cpu=True)
    photos = [example.photo for example in load_split(data, "dev")]
    grids = cached_grids(encoder, photos, tmp_path, accelerator)
    assert (grids.shape, grids.dtype) == ((8, 4, 96), np.float16)
    square = torch.from_numpy(np.array(load_photo(photos[3]))).permute(2, 0, 1)[None]
    assert square.shape[-1] == 48  # smaller than the model's 64: the cached one was enlarged
    others = [View(mirrored=True), View(crop=1), View(crop=2), View(mirrored=True, crop=1)]
    seen = [grids, *(cached_grids(encoder, photos, tmp_path, accelerator, view) for view in others)]
    assert not any(np.allclose(one, other, atol=1e-2) for one, other in combinations(seen, 2))
    monkeypatch.setattr("train.data.grids._compute", None)  # from here on nothing may be computed
    assert np.array_equal(cached_grids(encoder, photos, tmp_path, accelerator), grids)
    with torch.no_grad():
        next(encoder.parameters()).add_(0.1)
    with pytest.raises(TypeError):
        cached_grids(encoder, photos, tmp_path, accelerator)


def test_two_runs_may_compute_the_same_grids_at_once(data, backbone, tmp_path, monkeypatch):
    photos, accelerator = [example.photo for example in load_split(data, "dev")], Accelerator(cpu=True)
    alone = cached_grids(GridEncoder.load(backbone), photos, tmp_path / "alone", accelerator)
    both_began = threading.Barrier(2)

    def encode(*arguments):
        both_began.wait(timeout=60)
        yield from encode_photos(*arguments)

    monkeypatch.setattr("train.data.grids.encode_photos", encode)
    shared = tmp_path / "shared"
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(cached_grids, GridEncoder.load(backbone), photos, shared, accelerator) for _ in range(2)]
    assert all(np.array_equal(each.result(), alone) for each in runs)
    assert [file.name for file in shared.iterdir()] == [file.name for file in (tmp_path / "alone").iterdir()]


def test_nothing_is_left_of_grids_that_were_not_finished(data, backbone, tmp_path):
    photos, accelerator = [example.photo for example in load_split(data, "dev")], Accelerator(cpu=True)
    killed, running, other = (tmp_path / name for name in ("grids-a.partial", "grids-b.partial", "notes.partial"))
    for file in (killed, running, other):
        file.touch()
    for file in (killed, other):
        os.utime(file, (0, 0))
    with pytest.raises(PhotoError):
        cached_grids(GridEncoder.load(backbone), [*photos, other], tmp_path, accelerator)
    assert set(tmp_path.iterdir()) == {running, other}


def test_a_folder_takes_one_run_at_a_time(tmp_path):
    batches, accelerator = make_batches(), Accelerator(cpu=True)

    def train(batch_at, folder=tmp_path):
        task = make_task()
        optimizer = torch.optim.SGD(task.parameters(), lr=0.1)
        loop.fit(task, batch_at, optimizer, FitOptions(steps=2, warmup=1), folder, accelerator)

    def batch(step):
        return {**batches(step), "temperature": 1.0}

    began, may_end = threading.Event(), threading.Event()

    def slow(step):
        began.set()
        assert may_end.wait(timeout=60)
        return batch(step)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(train, slow)
        assert began.wait(timeout=60)
        try:
            with pytest.raises(ValueError, match="Another run is training in"):
                train(batch)
            train(batch, tmp_path / "another")
        finally:
            may_end.set()
        first.result()
    train(batch)  # it is done, so there is nothing to do, and nobody in the way
    assert len(losses(tmp_path)[0]) == len(losses(tmp_path / "another")[0]) == 2
    assert not list(tmp_path.rglob("*.partial"))


def test_the_teacher_gives_a_grid_as_a_backbone_does():
    teacher = TeacherGrid(image_size=64)
    pixels = torch.randint(256, (2, 3, 64, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    grid, (last, _) = teacher(pixels), teacher.teacher(pixels)
    assert grid.shape == (2, teacher.grid_size**2, teacher.channels) == (2, 4, 1280)
    assert torch.equal(grid[:, 1], last[:, :, 0, 1])


# How a module is started in two processes. Port 0: any that is free. `accelerate` itself imports torchvision before
# this project can mend it (see capmodel/compat.py), its launcher does not.
LAUNCHERS = {
    "torchrun": "-m torch.distributed.run --nproc-per-node 2",
    "accelerate": "-m accelerate.commands.launch --multi_gpu --num_processes 2 --main_process_port 0",
}


def xe_arguments(data, backbone, out, more: str) -> str:
    return (
        f"--data {data} --backbone {backbone} --out {out} --hidden 32 --attention 16 --epochs 6 --captions 2 "
        f"--vocabulary 60 --precision no --learning-rate 0.01 --ema 0.9 {more}"
    )


def python(line: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, *shlex.split(line)], stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> str:
    """What it printed."""
    _, printed = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    return printed


def kill_at(step: int, out, line: str) -> None:
    """Runs train.xe in processes of its own, and kills them when they have logged that many steps."""
    process = python(line)
    log = out / "log.jsonl"
    while process.poll() is None:
        if log.exists() and log.read_text().count('"loss"') >= step:
            process.terminate() if "launch" in line or "distributed" in line else process.kill()  # launchers pass it on
            process.communicate(timeout=60)
            return
        time.sleep(0.002)
    raise AssertionError(f"it ended before it could be killed: {process.stderr.read()}")


def losses(out):
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row], [row["score"] for row in rows if "score" in row]


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """The grids of the data, for all that train on them."""
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def launched(data, backbone, features, tmp_path_factory):
    """Runs everything that needs two processes in the same two, for to start them takes longest; once a launcher.

    Gives the folder with what tests/support/together.py left, and ``xe`` and ``xe-with-dropout`` of train.xe.
    """

    @cache
    def launch(name: str):
        folder = tmp_path_factory.mktemp(name)
        lines = [
            xe_arguments(data, backbone, folder / "xe", f"--features {features} --batch-size 2 --dropout 0"),
            xe_arguments(data, backbone, folder / "xe-with-dropout", f"--features {features} --batch-size 2"),
        ]
        finish(python(f"{LAUNCHERS[name]} -m tests.support.together {folder} 2 {shlex.join(lines)}"))
        return folder

    return launch


def test_a_killed_run_resumes_to_the_very_same_losses(data, backbone, features, tmp_path):
    more = f"--features {features} --batch-size 4"
    run(f"python -m train.xe {xe_arguments(data, backbone, tmp_path / 'whole', more)}")
    arguments = xe_arguments(data, backbone, tmp_path / "killed", more)
    kill_at(15, tmp_path / "killed", f"-m train.xe {arguments}")
    assert 15 <= len(losses(tmp_path / "killed")[0]) < 36
    run(f"python -m train.xe {arguments}")
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    assert losses(tmp_path / "whole")[0][-1] < 0.85 * losses(tmp_path / "whole")[0][0]


def test_two_processes_learn_as_one_with_twice_the_batch(data, backbone, features, launched, tmp_path):
    # Without dropout, whose random masks cannot be the same.
    run(
        "python -m train.xe "
        + xe_arguments(data, backbone, tmp_path, f"--features {features} --batch-size 4 --dropout 0")
    )
    one = losses(tmp_path)[0]
    assert len(one) == 36
    for name in LAUNCHERS:
        np.testing.assert_allclose(losses(launched(name) / "xe")[0], one, rtol=2e-3)


def test_two_killed_processes_resume_to_the_very_same_losses(data, backbone, features, launched, tmp_path):
    arguments = xe_arguments(data, backbone, tmp_path, f"--features {features} --batch-size 2")
    kill_at(15, tmp_path, f"{LAUNCHERS['torchrun']} -m train.xe {arguments}")
    assert 15 <= len(losses(tmp_path)[0]) < 36
    finish(python(f"{LAUNCHERS['torchrun']} -m train.xe {arguments}"))
    assert losses(tmp_path) == losses(launched("torchrun") / "xe-with-dropout")


def left_by_processes(folder) -> list[dict]:
    """What each process of tests/support/together.py left."""
    return [torch.load(file) for file in sorted(folder.glob("process-*.pt"))]


def test_each_process_does_its_part_and_all_end_with_the_same_weights(launched, tmp_path):
    run(f"python -m tests.support.together {tmp_path} 4")
    [alone] = left_by_processes(tmp_path)
    for name in LAUNCHERS:
        parts = left_by_processes(launched(name))
        assert [part["processes"] for part in parts] == [2, 2]
        for step, photos in alone["photos"].items():
            assert photos == parts[0]["photos"][step] + parts[1]["photos"][step]
        for weight, value in alone["weights"].items():
            assert torch.equal(parts[0]["weights"][weight], parts[1]["weights"][weight])
            torch.testing.assert_close(parts[0]["weights"][weight], value, rtol=1e-3, atol=1e-5)


def test_accelerate_that_started_one_process_only_is_told_of(tmp_path):
    printed = finish(
        python(f"-m accelerate.commands.launch --cpu --num_processes 2 -m tests.support.together {tmp_path} 2")
    )
    assert [part["processes"] for part in left_by_processes(tmp_path)] == [1]
    assert "asked for several processes and started one" in printed


@pytest.mark.parametrize(("cuda", "native", "precision"), [
    (False, False, "no"),
    (False, True, "bf16"),
    (True, False, "no"),
    (True, True, "bf16"),
])  # fmt: skip
def test_bfloat16_is_for_devices_that_have_it(monkeypatch, cuda, native, precision):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native or including_emulation)
    # Beside a GPU, what the processor has is no matter.
    monkeypatch.setattr(loop, "has_bfloat16", lambda: native != cuda)
    assert loop.quickest_precision() == precision


@pytest.mark.parametrize(("precision", "asked"), [("no", torch.float32), ("bf16", None)])
def test_muon_multiplies_in_bfloat16_only_where_the_device_has_it(monkeypatch, precision, asked):
    dtypes, orthogonalize = [], muon.zeropower_via_newtonschulz

    def watch(*arguments, **options):
        dtypes.append(options.get("dtype"))
        return orthogonalize(*arguments, **options)

    monkeypatch.setattr(muon, "zeropower_via_newtonschulz", watch)
    monkeypatch.setattr(distill, "quickest_precision", lambda: precision)
    task = nn.ModuleDict({"student": nn.Conv2d(3, 4, 3), "heads": nn.Linear(4, 2)})
    task.heads = task["heads"]
    optimizer = distill.make_optimizer(task, learning_rate=0.1)
    student = task["student"]
    before = student.weight.clone()
    student(torch.rand(2, 3, 8, 8)).square().mean().backward()
    optimizer.step()
    assert dtypes == [asked]
    assert not torch.equal(student.weight, before)


def test_a_file_that_the_first_process_makes(tmp_path, monkeypatch):
    def process(first, meanwhile=lambda: None):
        return SimpleNamespace(is_main_process=first, wait_for_everyone=meanwhile)

    path, made = tmp_path / "x", []
    make = lambda: made.append(path.write_text("all of it"))  # noqa: E731
    for _ in range(2):
        assert loop.made_by_first(path, make, process(first=True)) == path
    assert len(made) == 1  # it was there already
    path.unlink()
    late = threading.Timer(0.3, lambda: path.write_text("seen late"))  # as on a network's file system
    assert loop.made_by_first(path, make, process(first=False, meanwhile=late.start)).read_text() == "seen late"
    path.unlink()
    monkeypatch.setattr(loop, "VISIBLE", 0.1)
    with pytest.raises(FileNotFoundError, match="all machines must share the folder"):
        loop.made_by_first(path, make, process(first=False))
    assert len(made) == 1


def test_resuming_with_other_options_is_refused(data, backbone, features, tmp_path, capsys):
    arguments = xe_arguments(data, backbone, tmp_path, f"--features {features} --batch-size 8")
    run(f"python -m train.xe {arguments}")
    with pytest.raises(SystemExit):
        run(f"python -m train.xe {arguments} --epochs 7")
    assert "is of a run with other options" in capsys.readouterr().err
