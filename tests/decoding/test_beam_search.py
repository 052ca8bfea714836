"""Beam search against greedy decoding and against looking at every possible caption."""

from dataclasses import replace
from itertools import product
from math import log

import pytest
import torch

from capmodel.decoding.beam_search import DecodeOptions, beam_search
from capmodel.decoding.hedging import hedge
from capmodel.decoding.lexicon import Lexicon
from capmodel.decoding.tokenizer import END, START
from capmodel.model.decoder import Decoder

VOCABULARY = 8  # four special tokens and four words
NO_CONTENT = torch.zeros(VOCABULARY, dtype=torch.bool)
NOT_GENDERED = torch.empty(0, 3, dtype=torch.long)


@pytest.fixture
def decoder():
    torch.manual_seed(1)
    decoder = Decoder(channels=6, vocabulary=VOCABULARY, hidden=16, attention_size=5, dropout=0.0).eval()
    with torch.no_grad():  # sharper than at the start of training, so that choices differ
        decoder.embedding.weight.mul_(6)
        decoder.output_bias[END] = 1
    return decoder


@pytest.fixture
def grid():
    torch.manual_seed(2)
    return torch.randn(5, 9, 6)


def logprobs_of(decoder, grid, tokens):
    logits, weights = decoder(grid[None], torch.tensor([[[START, *tokens]]]))
    chosen = torch.tensor([*tokens, END])
    return logits[0, 0].log_softmax(-1)[range(len(chosen)), chosen], weights[0, 0]


def all_captions(longest):
    return (tokens for length in range(1, longest + 1) for tokens in product(range(4, VOCABULARY), repeat=length))


def test_beam_of_one_is_greedy(decoder, grid):
    options = DecodeOptions(beam=1, max_tokens=6, no_repeated_trigram=False)
    for photo, found in enumerate(beam_search(decoder, decoder.prepare(grid), options)):
        tokens = []
        while len(tokens) < 6:
            logits, _ = decoder(grid[None, photo], torch.tensor([[[START, *tokens]]]))
            logits = logits[0, 0, -1]
            logits[:END] = -torch.inf
            if not tokens:
                logits[END] = -torch.inf
            best = logits.argmax().item()
            if best == END:
                break
            tokens.append(best)
        assert found[0].tokens == tokens


@torch.no_grad()
def test_a_wide_beam_finds_the_best_of_all_captions(decoder, grid):
    options = DecodeOptions(beam=100, candidates=5, max_tokens=3, no_repeated_trigram=False, length_penalty=0.7)
    for photo, found in enumerate(beam_search(decoder, decoder.prepare(grid), options)):
        scores = {
            tokens: (logprobs_of(decoder, grid[photo], tokens)[0].sum() / (len(tokens) + 1) ** 0.7).item()
            for tokens in all_captions(3)
        }
        best = sorted(scores, key=scores.get, reverse=True)[:5]
        assert [tuple(hypothesis.tokens) for hypothesis in found] == best
        assert [hypothesis.score for hypothesis in found] == pytest.approx(
            [scores[tokens] for tokens in best], abs=1e-5
        )


@torch.no_grad()
def test_naming_a_content_word_again_costs_something(decoder, grid):
    """The best of all captions, counted by hand: tokens 4 and 5 begin content words."""
    options = DecodeOptions(beam=100, candidates=20, max_tokens=3, repetition_cost=0.7, length_penalty=0.5)
    lexicon = Lexicon(torch.tensor([False] * 4 + [True, True, False, False]), NOT_GENDERED)
    searched = beam_search(decoder, decoder.prepare(grid), options, lexicon=lexicon)
    free = beam_search(decoder, decoder.prepare(grid), options)
    repeats = 0
    for photo, found in enumerate(searched):
        logprobs = {tokens: logprobs_of(decoder, grid[photo], tokens)[0].sum().item() for tokens in all_captions(3)}
        scores = {
            tokens: (
                logprob - 0.7 * sum(tokens[:at].count(token) > 0 for at, token in enumerate(tokens) if token in (4, 5))
            )
            / (len(tokens) + 1) ** 0.5
            for tokens, logprob in logprobs.items()
        }
        best = sorted(scores, key=scores.get, reverse=True)[:20]
        assert [tuple(hypothesis.tokens) for hypothesis in found] == best
        for hypothesis in found:
            tokens = tuple(hypothesis.tokens)
            assert hypothesis.score == pytest.approx(scores[tokens], abs=1e-5)
            assert hypothesis.logprobs.sum().item() == pytest.approx(logprobs[tokens], abs=1e-5)  # without the cost
            repeats += max(map(tokens.count, (4, 5))) > 1
    assert repeats  # else the test would show less
    assert [[h.tokens for h in found] for found in searched] != [[h.tokens for h in found] for found in free]


@torch.no_grad()
def test_what_two_words_have_in_common_goes_to_the_one_for_either(decoder, grid):
    """The best of all captions, counted by hand: token 6 holds for both 4 and 5."""
    options = DecodeOptions(beam=100, candidates=10, max_tokens=3, hedging=0.8, length_penalty=0.5)
    lexicon = Lexicon(NO_CONTENT, torch.tensor([[4, 5, 6]]))
    searched = beam_search(decoder, decoder.prepare(grid), options, lexicon=lexicon)
    hedges = 0
    for photo, found in enumerate(searched):
        scores, own = {}, {}
        for tokens in all_captions(3):
            logits, _ = decoder(grid[None, photo], torch.tensor([[[START, *tokens]]]))
            steps = logits[0, 0].softmax(-1).tolist()
            score = own[tokens] = 0
            for probabilities, token in zip(steps, (*tokens, END), strict=True):
                man, woman, either = probabilities[4:7]
                own[tokens] += log(probabilities[token])
                common = 0.8 * min(man, woman)
                probabilities[4:7] = man - common, woman - common, either + 2 * common
                hedges += token == 6 and common > 0.01
                score += log(probabilities[token])
            scores[tokens] = score / (len(tokens) + 1) ** 0.5
        best = sorted(scores, key=scores.get, reverse=True)[:10]
        assert [tuple(hypothesis.tokens) for hypothesis in found] == best
        for hypothesis in found:
            tokens = tuple(hypothesis.tokens)
            assert hypothesis.score == pytest.approx(scores[tokens], abs=1e-5)
            assert hypothesis.logprobs.sum().item() == pytest.approx(own[tokens], abs=1e-5)  # the model's own
    assert hedges  # else the test would show less
    certain = beam_search(decoder, decoder.prepare(grid), replace(options, hedging=0.0), lexicon=lexicon)
    assert [[h.tokens for h in found] for found in searched] != [[h.tokens for h in found] for found in certain]


def test_hedging_moves_probability():
    gendered = torch.tensor([[4, 5, 6], [7, 8, 9]])
    probabilities = torch.tensor([
        [0.0, 0.0, 0.0, 0.05, 0.3, 0.2, 0.05, 0.3, 0.0, 0.1],
        [0.0, 0.0, 0.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.3],
    ])  # fmt: skip
    expected = torch.tensor([
        [0.0, 0.0, 0.0, 0.05, 0.1, 0.0, 0.45, 0.3, 0.0, 0.1],
        [0.0, 0.0, 0.0, 0.1, 0.0, 0.0, 0.3, 0.0, 0.1, 0.5],
    ])  # fmt: skip
    half = (probabilities + expected) / 2
    for share, hedged in ((0.0, probabilities), (0.5, half), (1.0, expected)):
        torch.testing.assert_close(hedge(probabilities.log(), gendered, share).exp(), hedged)
    torch.testing.assert_close(hedge(probabilities.log(), NOT_GENDERED, 1.0).exp(), probabilities)


def test_words_that_must_come_are_neither_hedged_nor_do_they_cost(decoder, grid):
    lexicon = Lexicon(~NO_CONTENT, torch.tensor([[4, 5, 6]]))
    options = DecodeOptions(max_tokens=3, hedging=1.0)
    [found] = beam_search(decoder, decoder.prepare(grid[:1]), options, [[4, 4, 4]], lexicon)
    assert found[0].tokens == [4, 4, 4]
    assert found[0].score == pytest.approx(found[0].logprobs.sum().item() / 4**0.8, abs=1e-5)


@torch.no_grad()
def test_every_candidate_carries_its_own_probabilities_maps_and_states(decoder, grid):
    options = DecodeOptions(beam=4, candidates=4, max_tokens=6)
    for photo, found in enumerate(beam_search(decoder, decoder.prepare(grid), options)):
        assert len({tuple(hypothesis.tokens) for hypothesis in found}) == 4
        for hypothesis in found:
            logprobs, weights = logprobs_of(decoder, grid[photo], hypothesis.tokens)
            torch.testing.assert_close(hypothesis.logprobs, logprobs, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(hypothesis.weights, weights[:-1], atol=1e-5, rtol=1e-5)
            ids, values = hypothesis.top_k
            assert (values.diff(dim=-1) <= 0).all()
            restored = torch.nn.functional.linear(
                hypothesis.states.hidden, decoder.embedding.weight, decoder.output_bias
            ).log_softmax(-1)
            torch.testing.assert_close(restored.gather(-1, ids), values, atol=1e-5, rtol=1e-5)


def test_photos_do_not_touch_each_other(decoder, grid):
    options = DecodeOptions(beam=3, candidates=3, max_tokens=6)
    together = beam_search(decoder, decoder.prepare(grid), options)
    for photo in range(len(grid)):
        alone = beam_search(decoder, decoder.prepare(grid[photo : photo + 1]), options)[0]
        assert [h.tokens for h in alone] == [h.tokens for h in together[photo]]


def test_a_photo_is_searched_no_longer_because_of_others(decoder):
    """A longer search may find better captions."""
    torch.manual_seed(3)
    grid = torch.randn(40, 9, 6)
    options = DecodeOptions(beam=3, candidates=3, max_tokens=12, length_penalty=1.5)
    together = beam_search(decoder, decoder.prepare(grid), options)
    for photo, found in enumerate(together):
        [alone] = beam_search(decoder, decoder.prepare(grid[photo : photo + 1]), options)
        assert [each.tokens for each in found] == [each.tokens for each in alone]
        for each, other in zip(found, alone, strict=True):
            torch.testing.assert_close(each.weights, other.weights)
            torch.testing.assert_close(each.states.hidden, other.states.hidden)


def test_prefixes_are_kept_and_may_differ(decoder, grid):
    prefixes = [[4], [5, 6, 7], [], [7, 7], [6]]
    for prefix, found in zip(
        prefixes, beam_search(decoder, decoder.prepare(grid), DecodeOptions(max_tokens=6), prefixes)
    ):
        assert found[0].tokens[: len(prefix)] == prefix


def test_a_prefix_that_is_too_long_is_refused(decoder, grid):
    with pytest.raises(ValueError, match="longer than max_tokens"):
        beam_search(decoder, decoder.prepare(grid[:1]), DecodeOptions(max_tokens=2), [[4, 5, 6]])


def test_no_trigram_comes_twice(decoder, grid):
    with torch.no_grad():
        decoder.output_bias[END] = -50
    free = beam_search(decoder, decoder.prepare(grid), DecodeOptions(beam=2, max_tokens=20, no_repeated_trigram=False))
    held = beam_search(decoder, decoder.prepare(grid), DecodeOptions(beam=2, max_tokens=20))

    def repeats(found):
        tokens = found[0].tokens
        trigrams = list(zip(tokens, tokens[1:], tokens[2:]))
        return len(trigrams) - len(set(trigrams))

    assert any(map(repeats, free))  # else the test would show nothing
    assert not any(map(repeats, held))


def test_captions_end_at_the_longest_length(decoder, grid):
    with torch.no_grad():
        decoder.output_bias[END] = -50
    for found in beam_search(decoder, decoder.prepare(grid), DecodeOptions(max_tokens=4)):
        assert (len(found[0].tokens), len(found[0].logprobs)) == (4, 5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"beam": 0},
        {"candidates": 6},
        {"max_tokens": 0},
        {"alternatives": -1},
        {"repetition_cost": -0.5},
        {"hedging": -0.5},
        {"hedging": 1.5},
    ],
)
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DecodeOptions(**wrong)
