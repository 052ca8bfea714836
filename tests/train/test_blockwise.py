"""Blockwise distillation: what each reads, what learns, and that the joined network is what they are in a row."""

import pytest
import torch
from torch import nn

from capmodel.model.backbone import GridEncoder
from train.objectives.blockwise import Blockwise
from train.objectives.distillation import Distillation
from train.objectives.teacher import Teacher


@pytest.fixture
def blockwise():
    torch.manual_seed(0)
    task = Blockwise(Distillation(GridEncoder("resnet26d"), Teacher()))
    for module in task.stages.modules():
        if isinstance(module, nn.BatchNorm2d):  # as after some training, so that every number matters
            for value in (module.weight, module.bias, module.running_mean, module.running_var):
                nn.init.uniform_(value, 0.5, 1.5)
    return task


def make_photos():
    return torch.randint(256, (2, 3, 96, 96), dtype=torch.uint8)


def test_the_joined_network_is_the_stages_in_a_row(blockwise):
    photos = make_photos()
    joined = blockwise.eval().join().eval()
    with torch.inference_mode():
        last, maps = joined.student.stages(photos)
        features = joined.student.normalize(photos)
        for number, (stage, ours) in enumerate(zip(blockwise.stages, maps, strict=True)):
            features = stage(features)
            torch.testing.assert_close(ours, features, rtol=1e-3, atol=1e-3 * features.std().item())
            features = blockwise.heads.projections[number](features)
        assert torch.equal(last, maps[-1])
        assert torch.equal(joined.heads.classify(last), blockwise.heads.classify(last))


def test_stages_and_heads_learn_and_nothing_else(blockwise):
    losses = blockwise.train()({"pixels": make_photos()})
    losses["loss"].backward()
    learned = {name for name, value in blockwise.named_parameters() if value.grad is not None}
    assert learned == {name for name, _ in blockwise.named_parameters() if name.startswith(("stages.", "whole.heads."))}


def test_a_stage_reads_the_teacher_and_not_the_stage_before(blockwise):
    blockwise.eval()
    photos = make_photos()
    before = blockwise({"pixels": photos})
    with torch.no_grad():
        blockwise.stages[2][0].conv1.weight.mul_(-1)
    after = blockwise({"pixels": photos})
    assert before["loss"] != after["loss"]
    assert before["features"] == after["features"]  # of the last stage
    assert before["answer"] == after["answer"]


def test_the_stages_begin_as_the_student_but_for_what_they_read():
    student = GridEncoder("resnet26d")
    stages = Blockwise(Distillation(student, Teacher())).stages
    for stage, name in zip(stages[1:], ("layer2", "layer3", "layer4"), strict=True):
        layer = getattr(student.network, name).state_dict()
        other = {key for key, value in stage.state_dict().items() if not torch.equal(value, layer[key])}
        assert other == {"0.conv1.weight", "0.downsample.1.weight"}


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_other_networks_are_refused(name):
    with pytest.raises(ValueError, match=f"bottleneck blocks.*{name}"):
        Blockwise(Distillation(GridEncoder(name), Teacher()))


def test_heads_are_saved_beside_the_student(blockwise, tmp_path):
    joined = blockwise.join()
    joined.save(tmp_path)
    other = Distillation(GridEncoder.load(tmp_path), Teacher())
    other.load_heads(tmp_path)
    assert all(torch.equal(value, joined.heads.state_dict()[name]) for name, value in other.heads.state_dict().items())
