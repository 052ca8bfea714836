"""`ResNetD` is timm's network: the same weights, the same numbers, the same beginning of a training."""

import subprocess
import sys

import pytest
import timm
import torch

from capmodel.model.resnet import BLOCKS, ResNetD
from capmodel.photos.folders import list_photos
from capmodel.resources import ASSETS, PHOTOS


@pytest.fixture(params=BLOCKS)
def both(request):
    """Ours and timm's, made with the same random numbers."""
    networks = []
    for make in (lambda: ResNetD(BLOCKS[request.param]), lambda: timm.create_model(request.param, num_classes=0)):
        torch.manual_seed(0)
        networks.append(make())
    return networks


def test_a_new_network_is_timms(both):
    ours, theirs = (network.state_dict() for network in both)
    assert list(ours) == list(theirs)
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_maps_are_timms(both):
    ours, theirs = both
    for name, parameter in theirs.named_parameters():
        if name.endswith("bn3.weight"):  # 0 in a new network: its blocks would change nothing
            torch.nn.init.uniform_(parameter, 0.1, 0.3)
    ours.load_state_dict(theirs.state_dict())
    photos = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        found, expected = (network.eval().forward_intermediates(photos) for network in both)
        last = ours.forward_features(photos)
    assert torch.equal(last, theirs.forward_features(photos))
    assert all(torch.equal(mine, other) for mine, other in zip([found[0], *found[1]], [expected[0], *expected[1]]))
    assert last.shape == (2, ours.num_features, 3, 3)


def test_it_describes_itself_as_timm_does(both):
    ours, theirs = both
    assert ours.num_features == theirs.num_features
    assert ours.feature_info == theirs.feature_info
    assert ours.pretrained_cfg.items() <= theirs.pretrained_cfg.items()


def test_it_trains_as_timms(both):
    photos = torch.randn(4, 3, 64, 64)
    for network in both:
        network.train().forward_features(photos).square().mean().backward()
    ours, theirs = (dict(network.named_parameters()) for network in both)
    assert all(torch.equal(ours[name].grad, theirs[name].grad) for name in theirs)


def test_captioning_imports_neither_timm_nor_the_hubs_client():
    """Both take long to import, and so does what they import: torchvision, and PyTorch's compiler."""
    photo = min(list_photos(PHOTOS))
    script = f"""
import sys
from capmodel.__main__ import main
assert main([{str(photo)!r}]) == 0
print(*{{"timm", "torchvision", "torch._dynamo", "sympy", "huggingface_hub", "matplotlib", "cv2"}} & sys.modules.keys())
"""
    said = subprocess.run([sys.executable, "-c", script], cwd=ASSETS.parent, capture_output=True, text=True, check=True)
    caption, slow = said.stdout.split("\n")[:2]
    assert len(caption.split()) > 3
    assert slow == ""
