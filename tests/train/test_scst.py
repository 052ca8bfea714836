"""The reward is CIDEr-D, the gradient is the policy's, and training on it raises it without cutting captions off."""

import itertools

import numpy as np
import pytest
import torch
from pycocoevalcap.cider.cider_scorer import CiderScorer
from sacreeos.scst import Scst
from support.samples import CAPTIONS
from torch.nn import functional as F

from capmodel.decoding.beam_search import DecodeOptions, beam_search
from capmodel.decoding.tokenizer import END, PAD, START, UNKNOWN
from capmodel.model.decoder import Decoder
from train.data.batches import PhotoBatches
from train.metrics.captions import count_tails
from train.metrics.cider_d import CiderD
from train.metrics.gender import GenderErrors
from train.objectives.self_critical import (
    BASELINES,
    END_OF_CAPTION,
    SelfCritical,
    draw,
    less_gender_errors,
    signature,
    with_end,
)


@pytest.fixture(scope="module")
def references():
    """Five photos with two to three references; some n-grams are in several photos."""
    captions = with_end(CAPTIONS)
    return [captions[i : i + 2 + i % 2] for i in range(5)]


def test_equals_pycocoevalcap(references):
    random = np.random.default_rng(0)
    words = [*itertools.chain(*itertools.chain(*references)), "never", "seen"]
    ours, theirs = CiderD(references), CiderScorer()
    captions = [[random.choice(words, random.integers(0, 14)).tolist()] for _ in references]
    captions[1] = [references[1][0]]
    captions[2] = [[]]
    for texts, [caption] in zip(references, captions):
        theirs += (" ".join(caption), [" ".join(text) for text in texts])
    _, expected = theirs.compute_score()
    np.testing.assert_allclose(ours(range(5), captions)[:, 0], expected, atol=1e-6)
    assert expected.max() > 3


def test_scores_several_captions_of_any_photos(references):
    cider = CiderD(references)
    texts = [[references[3][0], references[0][0]], [references[0][0], references[3][0]]]
    scores = cider([3, 0], texts)
    assert scores.shape == (2, 2)
    assert (scores[:, 0] > scores[:, 1]).all()


def test_the_end_is_in_references_and_statistics(references):
    cider = CiderD(references)
    assert all(text[-1] == END_OF_CAPTION for texts in references for text in texts)
    assert cider._frequency[(END_OF_CAPTION,)] == 5
    whole, cut = references[1][0], references[1][0][:-1]
    assert cider([1], [[whole]])[0, 0] > cider([1], [[cut]])[0, 0]


def test_a_gender_error_costs_its_weight_times_the_penalty():
    texts = [["a woman runs"] * 2, ["a man runs"] * 2, ["a dog runs"] * 2]
    cider = CiderD([with_end(captions) for captions in texts])
    captions = [with_end(["a man runs", "a woman runs", "a person runs"])] * 3
    less = less_gender_errors(cider, GenderErrors(texts), 0.7)([0, 1, 2], captions)
    np.testing.assert_allclose(cider([0, 1, 2], captions) - less, [[0.7, 0, 0], [0, 0.7, 0], [0, 0, 0]])


@pytest.mark.parametrize(("baseline", "theirs"), [("greedy", Scst.BASE_GREEDY), ("average", Scst.BASE_AVERAGE)])
def test_signature_is_that_of_sacreeos(references, baseline, theirs):
    corpus = [[" ".join(text) for text in texts] for texts in references]
    official = Scst(  # it also checks that the corpus ends as it must
        *(Scst.SCST_CONFIG_STANDARD, Scst.METRIC_CIDER_D, theirs, END_OF_CAPTION),
        corpus_refss=corpus,
        base_args={"nspi": 3},
        verbose=False,
    )
    assert signature(baseline, 3, CiderD(references).sigma) == official.get_signature()


def make_decoder(vocabulary=8):
    torch.manual_seed(0)
    return Decoder(channels=6, vocabulary=vocabulary, hidden=12, attention_size=5, dropout=0.0)


@pytest.mark.parametrize("sharpness", [1.0, 2.0])
def test_draws_from_the_models_own_distribution(sharpness):
    decoder, grid = make_decoder().eval(), torch.randn(1, 4, 6)
    with torch.no_grad():
        memory = decoder.prepare(grid)
        logits, _, _ = decoder.step(torch.full((1, 1), START), decoder.start(memory, 1), memory)
        expected = sharpness * logits.flatten()
        expected[[PAD, UNKNOWN, START]] = -torch.inf
        tokens, logprobs = draw(decoder, memory, 20_000, 3, sharpness)
    shares = tokens[0, :, 0].bincount(minlength=8) / 20_000
    torch.testing.assert_close(shares, expected.softmax(0), atol=0.012, rtol=0)
    # The log-probability of what was drawn is that of teacher forcing; nothing counts after the end.
    row = next(row for row in range(100) if (tokens[0, row] == END).sum() == 0)
    with torch.no_grad():
        logits, _ = decoder(grid, torch.cat([torch.tensor([START]), tokens[0, row, :-1]]).view(1, 1, -1))
    logits = sharpness * logits
    logits[..., [PAD, UNKNOWN, START]] = -torch.inf
    picked = logits[0, 0].log_softmax(-1).gather(-1, tokens[0, row, :, None])[:, 0]
    torch.testing.assert_close(logprobs[0, row], picked, atol=1e-5, rtol=1e-4)
    ended = (tokens[0, :, 0] == END).nonzero().flatten()
    assert len(ended) > 0
    assert (tokens[0, ended, 1:] == PAD).all()
    assert (logprobs[0, ended, 1:] == 0).all()


@pytest.mark.parametrize("baseline", BASELINES)
def test_gradient_is_that_of_the_expected_reward(tokenizer, baseline):
    """Over captions of one token the expectation can be written out."""
    decoder = make_decoder(len(tokenizer))
    grid, words = torch.randn(1, 4, 6), [tokenizer.decode([token]) for token in range(len(tokenizer))]

    def reward(photos, captions):
        """1 for a word with an "a"; a caption is a list of one word at most."""
        return np.array([[float(bool(words) and "a" in words[0]) for words in texts] for texts in captions])

    task = SelfCritical(decoder, tokenizer, reward, baseline, samples=60_000, longest=1, sharpness=1)
    torch.manual_seed(1)
    task({"grid": grid, "photo": torch.tensor([0])})["loss"].backward()
    found = decoder.output_bias.grad.clone()
    decoder.zero_grad()
    memory = decoder.prepare(grid)
    logits, _, _ = decoder.step(torch.full((1, 1), START), decoder.start(memory, 1), memory)
    logits = logits.flatten().clone()
    logits[[PAD, UNKNOWN, START]] = -torch.inf
    rewarded = torch.tensor([token > END and "a" in word for token, word in enumerate(words)])
    (-logits.softmax(0)[rewarded].sum()).backward()
    cosine = F.cosine_similarity(found, decoder.output_bias.grad, dim=0)
    assert cosine > 0.99
    torch.testing.assert_close(found.norm(), decoder.output_bias.grad.norm(), rtol=0.05, atol=0)


def test_hidden_cells_say_nothing_to_the_drawn_captions(tokenizer, references):
    decoder, grid = make_decoder(len(tokenizer)), torch.randn(2, 4, 6)

    def loss(grid, **options):
        torch.manual_seed(1)
        task = SelfCritical(decoder, tokenizer, CiderD(references), longest=5, **options)
        return task({"grid": grid, "photo": torch.tensor([0, 1])})["loss"].item()

    averaged = grid.mean(1, keepdim=True).expand_as(grid)
    assert loss(grid, cell_dropout=1.0) == pytest.approx(loss(averaged, cell_dropout=1.0), abs=1e-6)
    assert loss(grid) != pytest.approx(loss(averaged), abs=1e-4)


def test_training_raises_the_reward_and_captions_stay_whole(tokenizer, references):
    torch.manual_seed(0)
    decoder = Decoder(channels=16, vocabulary=len(tokenizer), hidden=64, attention_size=16, dropout=0.0)
    grids = [np.random.default_rng(0).normal(size=(5, 4, 16)).astype(np.float16)]
    batches = PhotoBatches(views=grids, batch_size=5, seed=0)
    task = SelfCritical(decoder, tokenizer, CiderD(references), samples=10, longest=24, sharpness=1)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=5e-3)
    # A start that speaks the language: a few steps of teacher forcing.
    spelled = [[START, *tokenizer.encode(" ".join(texts[0][:-1])), END] for texts in references]
    tokens = torch.full((5, 1, max(map(len, spelled))), PAD)
    for row, one in zip(tokens[:, 0], spelled):
        row[: len(one)] = torch.tensor(one)
    grid = torch.from_numpy(grids[0]).float()
    for _ in range(80):
        logits, _ = decoder(grid, tokens[..., :-1])
        F.cross_entropy(logits.flatten(0, 2), tokens[..., 1:].flatten(), ignore_index=PAD).backward()
        optimizer.step()
        optimizer.zero_grad()
    optimizer = torch.optim.Adam(decoder.parameters(), lr=2e-3)  # the other one expects far smaller gradients
    rewards = []
    for step in range(100):
        losses = task(batches(step))
        losses["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
        rewards.append(losses["reward"].item())
    assert np.mean(rewards[-10:]) > 1.3 * np.mean(rewards[:10])
    decoder.eval()
    with torch.no_grad():
        found = beam_search(decoder, decoder.prepare(grid), DecodeOptions())
    assert count_tails([tokenizer.decode(each[0].tokens) for each in found]) == 0


def test_counts_captions_that_stop_in_the_middle():
    assert count_tails(["a dog with a", "a dog", "two men on top of", "a woman with a hat on", ""]) == 2
