"""The grid is timm's own features: pooled, they give timm's own logits."""

import pytest
import timm
import torch

from capmodel.model.backbone import GridEncoder, backbone_names


@pytest.mark.parametrize("name", ["resnet18", "resnet26d", "densenet121"])
def test_grid_pools_to_timms_logits(name):
    torch.manual_seed(0)
    encoder = GridEncoder(name).eval()
    full = timm.create_model(name).eval()
    full.load_state_dict(encoder.network.state_dict(), strict=False)  # all but the classifier
    photos = torch.randint(0, 256, (2, 3, 256, 256), dtype=torch.uint8)
    mean, std = (torch.tensor(full.pretrained_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        grid = encoder(photos)
        expected = full((photos / 255 - mean) / std)
        pooled = full.get_classifier()(grid.mean(1))
    assert grid.shape == (2, 64, encoder.channels)
    torch.testing.assert_close(pooled, expected, rtol=1e-4, atol=1e-4)


def test_cells_run_row_by_row_from_the_top_left():
    torch.manual_seed(0)
    encoder = GridEncoder("test_resnet", image_size=256).eval()
    grey = torch.full((1, 3, 256, 256), 128, dtype=torch.uint8)
    marked = grey.clone()
    marked[:, :, 32:64, 160:192] = 255  # row 1, column 5
    with torch.no_grad():
        change = (encoder(marked) - encoder(grey)).norm(dim=-1)
    assert change.argmax().item() == 1 * 8 + 5


def test_default_grid_is_8x8_with_2048_channels():
    encoder = GridEncoder()
    assert (encoder.name, encoder.image_size, encoder.grid_size, encoder.channels) == ("resnet26d", 256, 8, 2048)


@pytest.mark.parametrize("name", ["vit_base_patch16_224", "tf_efficientnet_lite2", "resnet"])
def test_other_families_are_refused(name):
    with pytest.raises(ValueError, match="neither a ResNet nor a DenseNet"):
        GridEncoder(name)


def test_size_must_fit_the_stride():
    with pytest.raises(ValueError, match="multiple of 32"):
        GridEncoder("resnet18", image_size=250)


def test_names_hold_both_families():
    names = backbone_names()
    assert {"resnet26d", "resnet50", "densenet121"} <= set(names)
    assert "vit_base_patch16_224" not in names


def test_saved_backbone_is_the_same_in_16_bits(tmp_path):
    encoder = GridEncoder("test_resnet", image_size=64).eval()
    encoder.save(tmp_path)
    assert (tmp_path / "backbone.safetensors").stat().st_size < 2.2 * sum(map(torch.numel, encoder.parameters()))
    for parameter in encoder.parameters():
        if parameter.ndim > 1:
            parameter.data = parameter.half().float()
    again = GridEncoder.load(tmp_path).eval()
    photos = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    assert torch.equal(encoder(photos), again(photos))
