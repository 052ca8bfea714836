"""Training backbone and decoder together: what it sees, what may change, and what holds it."""

from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from capmodel.decoding.tokenizer import END, START
from capmodel.model.backbone import GridEncoder
from capmodel.model.decoder import Decoder
from train.data.crop_batches import CropBatches, DeviceCropBatches
from train.data.crops import DeviceCrops, gentle_boxes, gentle_crop, load_squares
from train.objectives.finetuning import FineTuning
from train.objectives.teacher import Teacher, freeze
from train.objectives.teacher_forcing import TeacherForcing


@pytest.fixture
def half_red(tmp_path):
    """A photo that is red on its left."""
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[:, :45, 0] = 255
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def make_task(anchor: float) -> FineTuning:
    torch.manual_seed(0)
    encoder = GridEncoder("test_resnet", image_size=64)
    decoder = Decoder(channels=encoder.channels, vocabulary=12, hidden=16, attention_size=8, dropout=0.0)
    return FineTuning(encoder, TeacherForcing(decoder), anchor)


def make_batch() -> dict:
    tokens = torch.tensor([START, 5, 6, END]).expand(2, 1, 4)
    pixels = torch.randint(256, (2, 3, 64, 64), dtype=torch.uint8)
    return {"pixels": pixels, "tokens": tokens, "targets": 6, "temperature": 1.0}


def test_gentle_crops_lie_inside_the_photo_and_show_most_of_it():
    photo = np.zeros((40, 90, 3), np.uint8)
    photo[..., 0] = np.arange(90)
    for seed in range(50):
        crop = gentle_crop(photo, 32, np.random.default_rng(seed))
        assert crop.shape == (32, 32, 3)
        assert crop[..., 0].max() <= 91
        assert 60 <= int(crop[..., 0].max()) - int(crop[..., 0].min()) <= 91


def test_gentle_boxes_lie_inside_the_photo_and_show_most_of_it():
    squares = torch.arange(90).mul(2).to(torch.uint8).expand(1, 3, 90, 90)
    boxes = gentle_boxes([False, True] * 25, 0.8, np.random.default_rng(0))
    crops = DeviceCrops(squares).cut([0] * 50, boxes, 32)[:, 0].int()
    for number, crop in enumerate(crops):
        assert crop.max() <= 178
        assert 134 <= crop.max() - crop.min() <= 178
        assert (crop[:, 0] < crop[:, -1]).all() == (number % 2 == 0)


@pytest.mark.parametrize("on_device", [False, True])
def test_mirrored_photos_come_with_mirrored_captions(half_red, on_device):
    captions = [[[[START, 7, END]]], [[[START, 8, END]]]]  # of the photo, and of the mirrored one
    make_batches = CropBatches
    if on_device:
        make_batches = partial(DeviceCropBatches, crops=DeviceCrops(load_squares([half_red], torch.device("cpu"))))
    batches = make_batches(
        views=[[half_red]] * 2, captions=captions, per_photo=1, batch_size=1, seed=0, size=32, least=0.8
    )
    seen = set()
    for step in range(20):
        batch = batches(step)
        left, right = (half.float().mean().item() for half in batch["pixels"][0, 0].chunk(2, -1))
        word = batch["tokens"][0, 0, 1].item()
        assert word == (7 if left > right else 8)
        seen.add(word)
        assert torch.equal(batch["pixels"], batches(step)["pixels"])
    assert seen == {7, 8}


def test_captions_teach_the_backbone_but_not_its_frozen_stages_nor_its_statistics():
    task, batch = make_task(anchor=0), make_batch()
    freeze(task.encoder, 2)
    before = {name: value.clone() for name, value in task.encoder.state_dict().items()}
    optimizer = torch.optim.SGD(task.parameters(), lr=0.1)
    task.train()
    task(batch)["loss"].backward()
    optimizer.step()
    changed = {name for name, value in task.encoder.state_dict().items() if not torch.equal(value, before[name])}
    assert {name.split(".")[1] for name in changed} == {"layer3", "layer4"}
    assert not any("running" in name for name in changed)


def test_the_anchor_is_the_distance_to_the_teacher():
    task, batch = make_task(anchor=2.0), make_batch()
    losses = task(batch)
    torch.testing.assert_close(losses["loss"], losses["captions"] + 2 * losses["anchor"])
    losses["loss"].backward()
    assert all(parameter.grad is None for parameter in task.teacher.parameters())


def test_the_projection_begins_as_that_of_least_squares():
    task, batch = make_task(anchor=1.0).eval(), make_batch()
    before = task(batch)["anchor"].item()
    task.fit_projection([batch["pixels"]], ridge=1e-6)
    after = task(batch)["anchor"]
    after.backward()
    assert after < 0.1 * before
    assert task.projection.bias.grad.abs().max() < 1e-4


class Noise(nn.Module):
    """An encoder whose grids say nothing of the photos."""

    channels = 60

    def forward(self, pixels):
        return torch.randn(len(pixels), 4, self.channels)


def test_the_projection_does_not_learn_photos_by_heart():
    """From 64 cells a projection of 60 numbers could; on others it would then be far off."""
    torch.manual_seed(0)
    task = FineTuning(
        Noise(), TeacherForcing(Decoder(channels=60, vocabulary=12, hidden=16, attention_size=8)), anchor=1.0
    )
    photos, others = torch.randint(256, (2, 16, 3, 64, 64), dtype=torch.uint8)
    task.fit_projection([photos])
    with torch.no_grad():
        error = F.mse_loss(task.projection(task.encoder(others)), task._target(others))
    assert error < 1.5  # 1: the teacher's mean, whatever the photo


def test_the_teacher_never_trains():
    task = make_task(anchor=1.0)
    assert isinstance(task.teacher, Teacher)
    assert not any(module.training for module in task.teacher.modules())
    task.train()
    assert not any(module.training for module in task.teacher.modules())
    assert not any(module.training for module in task.encoder.modules())
    assert task.captions.decoder.training


@pytest.mark.parametrize(("name", "first"), [("resnet26d", "layer2."), ("densenet121", "features.transition1.")])
def test_freezing_one_stage_of_either_family(name, first):
    encoder = GridEncoder(name)
    freeze(encoder, 0)
    assert all(parameter.requires_grad for parameter in encoder.parameters())
    freeze(encoder, 1)
    learning = [parameter.requires_grad for parameter in encoder.network.parameters()]
    names = [name for name, _ in encoder.network.named_parameters()]
    assert names[learning.index(True)].startswith(first)
    assert learning == sorted(learning)
