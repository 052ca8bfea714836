"""Step by step and teacher forcing are the same computation."""

import torch

from capmodel.model.decoder import Decoder


def make_decoder(**changes):
    torch.manual_seed(0)
    return Decoder(
        **{"channels": 6, "vocabulary": 11, "hidden": 8, "attention_size": 5, "dropout": 0.0, **changes}
    ).eval()


def test_forward_equals_steps():
    decoder = make_decoder()
    grid, tokens = torch.randn(2, 9, 6), torch.randint(11, (2, 3, 4))
    logits, weights = decoder(grid, tokens)
    assert (logits.shape, weights.shape) == ((2, 3, 4, 11), (2, 3, 4, 9))
    memory = decoder.prepare(grid)
    state = decoder.start(memory, 3)
    for position in range(4):
        step_logits, state, step_weights = decoder.step(tokens[:, :, position], state, memory)
        torch.testing.assert_close(step_logits, logits[:, :, position])
        torch.testing.assert_close(step_weights, weights[:, :, position])


def test_captions_of_a_photo_do_not_touch_each_other():
    decoder = make_decoder()
    grid, tokens = torch.randn(2, 9, 6), torch.randint(11, (2, 3, 4))
    together, _ = decoder(grid, tokens)
    alone, _ = decoder(grid[1:], tokens[1:, 2:])
    torch.testing.assert_close(together[1:, 2:], alone)


def test_starts_from_zeros():
    decoder = make_decoder()
    state = decoder.start(decoder.prepare(torch.randn(2, 9, 6)), 3)
    assert state.hidden.shape == (2, 3, 8)
    assert not torch.stack(state).any()


def test_output_layer_is_the_embedding():
    decoder = make_decoder()
    assert [value.shape for value in decoder.parameters()].count((11, 8)) == 1
    memory = decoder.prepare(torch.randn(1, 9, 6))
    logits, state, _ = decoder.step(torch.tensor([[1]]), decoder.start(memory, 1), memory)
    torch.testing.assert_close(logits, state.hidden @ decoder.embedding.weight.T + decoder.output_bias)
