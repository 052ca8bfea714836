"""The quick decoder computes what the plain one does."""

import copy

import pytest
import torch

from capmodel.model import fast_decoder
from capmodel.model.decoder import Decoder
from capmodel.model.fast_decoder import FastDecoder
from capmodel.model.normalizers import NORMALIZERS


def make_decoder(normalizer: str = "softmax", published: bool = True) -> Decoder:
    """With weights that 16 bits can hold, as published ones are, or not."""
    torch.manual_seed(0)
    decoder = Decoder(channels=12, vocabulary=23, hidden=8, attention_size=5, normalizer=normalizer).eval()
    torch.nn.init.normal_(decoder.output_bias)
    return decoder.half().float() if published else decoder


@torch.inference_mode()
def walk(decoder: Decoder | FastDecoder) -> list[torch.Tensor]:
    """Logits, states and weights of four steps over three photos, two captions each."""
    torch.manual_seed(1)
    memory = decoder.prepare(torch.randn(3, 9, 12))
    state, seen = decoder.start(memory, 2), []
    for tokens in torch.randint(23, (4, 3, 2)):
        logits, state, weights = decoder.step(tokens, state, memory)
        seen += [logits, *state, weights]
    return seen


@pytest.mark.parametrize("published", [True, False])
@pytest.mark.parametrize("normalizer", NORMALIZERS)
def test_steps_are_the_plain_decoders(normalizer, published):
    decoder = make_decoder(normalizer, published)
    expected = walk(decoder)
    assert torch.stack(expected[::4]).std() > 0.5
    for found, plain in zip(walk(FastDecoder(decoder)), expected, strict=True):
        torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("normalizer", NORMALIZERS)
def test_teacher_forcing_with_cells_hidden(normalizer):
    """As the plain decoder on grids in which those cells are the mean: some, all, or none."""
    decoder = make_decoder(normalizer)
    grids, tokens = 2 * torch.randn(3, 9, 12), torch.randint(23, (6,))
    hidden = torch.rand(5, 9) < 0.4
    hidden[0], hidden[1] = True, False
    quick = FastDecoder(decoder)
    found = quick.logprobs(tokens, quick.prepare(grids), hidden)
    assert found.shape == (3, 5, 5)
    for photo, grid in enumerate(grids):
        by_hand = torch.where(hidden[..., None], grid.mean(0), grid)  # (5, 9, 12)
        logits, _ = decoder(by_hand, tokens[:-1].expand(5, 1, -1))
        expected = logits[:, 0].log_softmax(-1)[:, torch.arange(5), tokens[1:]]
        torch.testing.assert_close(found[photo], expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(quick.logprobs(tokens, quick.prepare(grids))[:, 0], found[:, 1])


def test_without_the_kernel_too(monkeypatch):
    monkeypatch.setattr(fast_decoder, "has_kernel", lambda: False)
    decoder = make_decoder()
    for found, plain in zip(walk(FastDecoder(decoder)), walk(decoder), strict=True):
        torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-5)


def test_weights_that_16_bits_cannot_hold_are_not_rounded():
    """Rounded ones would be off by 1e-3 or so: far more than the order of a sum."""
    decoder = make_decoder(published=False)
    rounded = walk(copy.deepcopy(decoder).half().float())
    assert (rounded[0] - walk(decoder)[0]).abs().max() > 1e-4
    torch.testing.assert_close(walk(FastDecoder(decoder))[0], walk(decoder)[0], rtol=0, atol=1e-6)


def test_published_weights_use_the_kernel(monkeypatch):
    if not fast_decoder.has_kernel():
        pytest.skip("PyTorch has no such kernel for this processor")
    monkeypatch.setattr(fast_decoder.F, "linear", None)  # what the others use
    layers = fast_decoder._Layers.of(make_decoder())
    assert layers.output(torch.randn(1, 8)).shape == (1, 23)


@pytest.mark.parametrize("published", [True, False])
@torch.inference_mode()
def test_a_tokens_gates_are_computed_once(published, monkeypatch):
    layers = fast_decoder._Layers.of(make_decoder(published=published))
    decoder = make_decoder(published=published)
    expected = decoder.embedding.weight @ decoder.lstm.weight_ih[:, :8].T + decoder.lstm.bias_ih + decoder.lstm.bias_hh
    computed = []
    linear = layers.embedded._linear
    monkeypatch.setattr(layers.embedded, "_linear", lambda inputs: computed.append(len(inputs)) or linear(inputs))
    for tokens in ([[3, 5], [5, 3]], [[5, 7], [22, 0]], [[0, 22]]):
        tokens = torch.tensor(tokens)
        torch.testing.assert_close(layers.embedded(tokens), expected[tokens], rtol=1e-4, atol=1e-5)
    assert computed == [1] * 5


@torch.inference_mode()
def test_a_tokens_gates_do_not_depend_on_what_was_read_before():
    """Even where a product is rounded by its number of rows, which this one exaggerates."""
    embedding = torch.randn(6, 3)
    together, apart = (fast_decoder._TokenGates(embedding, lambda rows: rows + len(rows)) for _ in range(2))
    apart(torch.tensor([4]))
    apart(torch.tensor([1, 2, 4]))
    torch.testing.assert_close(together(torch.tensor([1, 2, 4])), apart(torch.tensor([1, 2, 4])), rtol=0, atol=0)


def test_new_weights_are_noticed():
    decoder, other = make_decoder(), make_decoder(published=False)
    quick = FastDecoder(decoder)
    old = walk(quick)
    torch.nn.init.normal_(other.embedding.weight)
    decoder.load_state_dict(other.state_dict())
    torch.testing.assert_close(walk(quick), walk(decoder), rtol=1e-4, atol=1e-5)
    assert (walk(quick)[0] - old[0]).abs().max() > 0.1


def test_the_decoder_stays_as_it_is():
    decoder = make_decoder()
    before = {name: value.clone() for name, value in decoder.state_dict().items()}
    walk(FastDecoder(decoder))
    for name, value in decoder.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert decoder(torch.randn(1, 9, 12), torch.zeros(1, 1, 1, dtype=torch.long))[0].requires_grad
