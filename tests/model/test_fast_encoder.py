"""The quick backbone is the same network."""

import pytest
import torch
from support.samples import PHOTOS
from torch.fx.proxy import TraceError

from capmodel import Captioner
from capmodel.model import fast_encoder
from capmodel.model.backbone import GridEncoder
from capmodel.model.caption_model import CaptionModel, ModelConfig
from capmodel.model.fast_decoder import FastDecoder
from capmodel.model.fast_encoder import FastEncoder


def make_encoder(name: str) -> GridEncoder:
    """With BatchNorms as training leaves them: at first they change nothing, so leaving one out would not show."""
    torch.manual_seed(0)
    encoder = GridEncoder(name, image_size=64).eval()
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.1)
    return encoder


@pytest.fixture
def pixels():
    torch.manual_seed(1)
    return torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("name", ["resnet18", "resnet26d", "densenet121"])
def test_fp32_gives_the_same_grid(name, pixels):
    encoder = make_encoder(name)
    with torch.inference_mode():
        assert distance(FastEncoder(encoder, "fp32")(pixels), encoder(pixels)) < 1e-5


@pytest.mark.parametrize("name", ["resnet26d", "densenet121"])
def test_bf16_gives_nearly_the_same_grid(name, pixels):
    encoder = make_encoder(name)
    with torch.inference_mode():
        grid, expected = FastEncoder(encoder, "bf16")(pixels), encoder(pixels)
    assert grid.dtype == torch.float32
    assert 1e-4 < distance(grid, expected) < 0.03


def test_bf16_gives_a_photo_the_same_grid_whoever_comes_with_it(captioner):
    quick = FastEncoder(captioner.model.encoder, "bf16")
    pixels = torch.randint(0, 256, (9, 3, 256, 256), dtype=torch.uint8)
    torch.testing.assert_close(quick(pixels)[4:5], quick(pixels[4:5]), rtol=0, atol=0)


def test_auto_asks_the_processor(monkeypatch, pixels):
    encoder = make_encoder("resnet18")
    if not fast_encoder.has_bfloat16():  # for bf16, the kernels need a processor that has it
        monkeypatch.setattr(fast_encoder, "has_kernels", lambda: False)
    for has_it, precision in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(fast_encoder, "has_bfloat16", lambda has_it=has_it: has_it)
        torch.testing.assert_close(
            FastEncoder(encoder)(pixels), FastEncoder(encoder, precision)(pixels), rtol=0, atol=0
        )


def test_the_encoder_stays_as_it_is(pixels):
    encoder = make_encoder("resnet18")
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    FastEncoder(encoder, "bf16")(pixels)
    for name, value in encoder.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert encoder(pixels).requires_grad


def test_an_encoder_in_training_stays_in_training(pixels):
    encoder = make_encoder("resnet18").train()
    FastEncoder(encoder, "fp32")(pixels)
    assert all(module.training for module in encoder.modules())


class Stubborn(torch.nn.Module):
    """A network whose last step is one that `torch.fx` cannot follow."""

    def __init__(self, network: torch.nn.Module, step):
        super().__init__()
        self.network, self.step = network, step

    def forward_features(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.step(self.network.forward_features(inputs))


def only_numbers(features: torch.Tensor) -> torch.Tensor:
    return features if features.sum() > -1e9 else -features


def counted(features: torch.Tensor) -> torch.Tensor:
    return torch.stack([features[photo] for photo in range(len(features))])


def one_by_one(features: torch.Tensor) -> torch.Tensor:
    return torch.stack(list(features))


def as_whole_numbers(features: torch.Tensor) -> torch.Tensor:
    return features + int(features.shape[0] > 1e9)


@pytest.mark.parametrize("step", [only_numbers, counted, one_by_one, as_whole_numbers])
def test_a_network_that_pytorch_cannot_follow_is_copied_as_it_is(step, pixels):
    encoder = make_encoder("test_resnet")
    encoder.network = Stubborn(encoder.network, step)
    with pytest.raises((TraceError, TypeError, RuntimeError)):
        torch.fx.symbolic_trace(fast_encoder._Features(encoder.network))
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    with torch.inference_mode():
        expected = encoder(pixels)
    assert distance(FastEncoder(encoder, "fp32")(pixels), expected) < 1e-5
    assert distance(FastEncoder(encoder, "bf16")(pixels), expected) < 0.03
    for name, value in encoder.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_new_weights_are_noticed(pixels):
    encoder, other = make_encoder("resnet18"), make_encoder("resnet18")
    torch.nn.init.normal_(other.network.conv1.weight)
    quick = FastEncoder(encoder, "fp32")
    old = quick(pixels)
    encoder.load_state_dict(other.state_dict())
    with torch.inference_mode():
        assert distance(quick(pixels), encoder(pixels)) < 1e-5
    assert distance(quick(pixels), old) > 0.1


# To what was made in inference mode, PyTorch allows no write outside.
@pytest.mark.parametrize(("made_in", "written_in"), [(False, False), (False, True), (True, True)])
def test_new_weights_are_noticed_whatever_mode_they_are_of(made_in, written_in, pixels):
    with torch.inference_mode(made_in):
        encoder = make_encoder("test_resnet")
        decoder = CaptionModel(ModelConfig("test_resnet", 64, 20, 8, 4), encoder).decoder.eval()
    quick, grid = FastEncoder(encoder, "fp32"), torch.rand(1, 4, encoder.channels)
    quick_decoder = FastDecoder(decoder)
    before = quick(pixels), quick_decoder.prepare(grid).keys
    for again in (quick(pixels), quick(pixels)):
        assert torch.equal(again, before[0])
    with torch.inference_mode(written_in), torch.no_grad():
        encoder.network.conv1[0].weight.mul_(2)
        decoder.attention.linear_e.weight.mul_(2)
    with torch.inference_mode():
        assert distance(quick(pixels), encoder(pixels)) < 1e-5
        keys = 2 * decoder.prepare(grid).keys  # doubled in the fast decoder
        torch.testing.assert_close(quick_decoder.prepare(grid).keys, keys, rtol=1e-3, atol=1e-4)
    assert distance(quick_decoder.prepare(grid).keys, before[1]) > 0.1


def test_an_unknown_precision_is_named(tiny_captioner):
    with pytest.raises(ValueError, match="no precision 'fp8'"):
        Captioner(tiny_captioner.model, tiny_captioner.tokenizer, precision="fp8")


def test_in_fp32_all_captions_of_the_bundled_models_are_the_plain_networks(captioners):
    squares = [captioners[0].load_square(photo) for photo in sorted(PHOTOS.glob("*.jpg"))]
    encoder = captioners[0].model.encoder
    pixels = torch.stack([torch.from_numpy(square) for square in squares]).permute(0, 3, 1, 2)
    with torch.inference_mode():
        plain, quick = encoder(pixels), FastEncoder(encoder, "fp32")(pixels)
    for captioner in captioners:
        assert texts(captioner, quick) == texts(captioner, plain)


def texts(captioner: Captioner, grid: torch.Tensor) -> list[str]:
    return [found[0].text for found in captioner.describe(grid)]
