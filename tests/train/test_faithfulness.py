"""Does attention explain? The measure itself, on decoders and rankings whose answer is known."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import spearmanr
from support.samples import PHOTOS
from support.shapes import make_shapes
from torch import nn

from capmodel import CaptionModel
from capmodel.captioner import Captioner
from capmodel.explain.occlusion import hide_cells, word_probability
from capmodel.model.caption_model import ModelConfig
from capmodel.model.decoder import Memory
from train.faithfulness import FUNCTION_WORDS, fingerprint, hidden_counts, main, measure, read_photos
from train.metrics.faithfulness_report import RANKINGS, interval, summarize
from train.metrics.occlusion_curves import (
    DRAWS,
    OF_WORDS,
    Reading,
    Settings,
    compare,
    deletion_and_insertion,
    explain_words,
    logprobs_hidden,
)
from train.metrics.photo_curves import RANKINGS as RANKINGS_IN_PHOTO
from train.metrics.photo_curves import counts_in_photo, measure_curves, summarize_curves
from train.metrics.saliency import (
    by_hiding,
    input_x_gradient,
    integrated_gradients,
    order_cells,
    rank_correlation,
    smooth,
    windows,
    word_score,
)

COUNTS = [0, 1, 2, 3, 4]
EXACT = Settings(cells=1)


@pytest.fixture
def lively(tiny_captioner):
    """A tiny model that looks here more than there, and writes other words if it sees other cells."""
    decoder = tiny_captioner.model.requires_grad_(False).decoder
    for weight, factor in ((decoder.attention.linear_e, 60), (decoder.attention.linear_out, 6)):
        weight.weight *= factor
    decoder.lstm.weight_ih *= 20
    decoder.embedding.weight *= 3
    return tiny_captioner


@pytest.fixture
def readings(lively):
    return read_photos(lively, sorted(PHOTOS.glob("*.jpg"))[:3])


class Planted(nn.Module):
    """A decoder of 16 cells whose two words are as probable as the first channel of their own cells is high."""

    def __init__(self):
        super().__init__()
        self.counts = torch.zeros(2, 16)  # how much each cell counts for either word
        self.counts[0, 3:7] = torch.tensor([1.0, 4.0, 3.0, 2.0])
        self.counts[1, 10:14] = torch.tensor([2.0, 3.0, 1.0, 4.0])

    def prepare(self, grid):
        return Memory(grid, grid)

    def start(self, memory, captions):
        return 0

    def step(self, tokens, state, memory):
        logits = torch.zeros(len(memory.grid), 1, 8)
        logits[:, 0, 4 + state] = memory.grid[..., 0] @ self.counts[state]
        return logits, state + 1, None

    def logprobs(self, tokens, memory, hidden=None):
        grid = memory.grid[:, None]  # (B, 1, L, 1)
        if hidden is not None:
            grid = torch.where(hidden[..., None], grid.mean(2, keepdim=True), grid)  # (B, K, L, 1)
        logits, _ = self(grid.flatten(0, 1), tokens[:-1].expand(grid.shape[0] * grid.shape[1], 1, -1))
        found = logits.log_softmax(-1)[:, 0, torch.arange(len(tokens) - 1), tokens[1:]]
        return found.view(*grid.shape[:2], -1)

    def forward(self, grid, tokens):
        steps = [self.step(None, place, Memory(grid, grid))[0] for place in range(tokens.shape[-1])]
        return torch.stack(steps, 2), None


def planted_report(maps):
    """What is measured of the planted decoder, for maps (2, L) of its two words."""
    torch.manual_seed(0)
    pixels = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)

    def encode(squares):
        red = torch.from_numpy(np.stack(squares)[..., 0] / 255).float()  # (B, 32, 32)
        return red.unflatten(1, (4, 8)).unflatten(3, (4, 8)).mean((2, 4)).flatten(1)[..., None]

    encoder = SimpleNamespace(grid_size=4, mean=torch.zeros(1))  # the mean red of each of 16 cells
    planted = Planted()
    model = SimpleNamespace(decoder=planted, encoder=encoder)
    captioner = SimpleNamespace(model=model, decoder=planted, encode=encode)
    words = [("dog", 0, 1), ("ball", 1, 2)]
    for square in pixels:  # the cells that count are bright, the others dark
        for cell in range(16):
            top, left = cell // 4 * 8, cell % 4 * 8
            bright = captioner.model.decoder.counts[:, cell].any()
            square[top : top + 8, left : left + 8] = square[top : top + 8, left : left + 8] // 4 + 190 * int(bright)
    readings = [Reading(square, encode([square])[0], [4, 5], words, maps) for square in pixels]
    counts = [0, 1, 2, 4, 8, 16]
    settings = Settings(cells=4)
    return summarize(measure(captioner, readings, counts, settings), counts, cells=4, seed=0)


def test_right_maps_are_found_faithful_and_wrong_ones_not():
    right = Planted().counts.numpy() / 10
    report = planted_report(right)
    area = {name: report["grid"][name]["deletion"]["area"]["mean"] for name in RANKINGS}
    best = ("attention", "integrated_gradients", "evidence", "show_one", "both_ways")  # all find the same cells
    assert {name: area[name] for name in best} == pytest.approx(dict.fromkeys(best, min(area.values())), abs=1e-3)
    assert area["attention"] < area["random"] < area["other_word"] + 1e-6
    seen = {name: report["grid"][name]["insertion"]["area"]["mean"] for name in RANKINGS}
    assert {name: seen[name] for name in best} == pytest.approx(dict.fromkeys(best, max(seen.values())), abs=1e-3)
    assert seen["attention"] > seen["random"]
    assert report["rank_correlation"]["evidence"]["mean"] > 0.5
    lost = {name: report["photo"][name]["fall"]["mean"] for name in RANKINGS}
    assert {name: lost[name] for name in best} == pytest.approx(dict.fromkeys(best, max(lost.values())), abs=1e-3)
    for place in ("grid", "photo"):
        found = report[place]["attention"]["hidden_k"] if place == "grid" else report[place]["attention"]
        assert found["words_beyond_random"]["mean"] == 1
        assert found["less_other_word"]["low"] > 0
    assert report["overlap_other_word"]["mean"] == 0

    swapped = planted_report(right[::-1].copy())
    assert swapped["grid"]["attention"]["hidden_k"]["words_beyond_random"]["mean"] == 0
    assert swapped["grid"]["attention"]["hidden_k"]["less_other_word"]["high"] < 0
    assert swapped["photo"]["attention"]["fall"]["mean"] < report["photo"]["attention"]["fall"]["mean"]
    assert swapped["grid"]["attention"]["deletion"]["less_random"]["low"] >= 0


def test_readings_are_what_the_page_shows(lively, readings):
    for reading, caption in zip(readings, lively(sorted(PHOTOS.glob("*.jpg"))[:3])):
        shown = [word for word in caption.words if word.text not in FUNCTION_WORDS]
        assert [text for text, _, _ in reading.words] == [word.text for word in shown]
        assert reading.maps == pytest.approx(np.array([word.weights.flatten() for word in shown]), abs=1e-6)


def test_whole_none_and_some_cells_are_as_the_probe_has_them(lively, readings):
    table = measure(lively, readings, COUNTS, EXACT)
    row = 0
    for reading in readings:
        tokens, decoder = reading.tokens, lively.model.decoder
        blind = reading.grid.mean(0).expand_as(reading.grid)
        one = reading.grid.clone()
        for place, (_, start, stop) in enumerate(reading.words):
            one[:] = reading.grid
            one[reading.maps[place].argmax()] = reading.grid.mean(0)
            score = word_score(decoder, tokens[:stop], start)
            whole, without, unseen = score(torch.stack([reading.grid, one, blind])).tolist()
            assert table["whole"][row] == pytest.approx(whole, abs=1e-4)
            deletion, insertion = table["grid"][row].transpose(1, 0, 2)
            assert deletion[0, 1] == pytest.approx(without - whole, abs=1e-4)
            assert deletion[:, -1] == pytest.approx(np.full(len(RANKINGS), unseen - whole), abs=1e-4)
            assert insertion[:, 0] == pytest.approx(np.full(len(RANKINGS), unseen - whole), abs=1e-4)
            assert (deletion[:, 0] == 0).all()
            assert (insertion[:, -1] == 0).all()

            hole = lively.encode([hide_cells(reading.square, [reading.maps[place].argmax()], side=2)])
            assert table["pixels"][row, 0] == pytest.approx(score(hole).item() - whole, abs=1e-4)
            row += 1
    assert row == len(table["whole"]) > len(readings)
    assert np.abs(table["grid"][..., 1:-1]).mean() > 0.01  # far more than what passes for equal above
    assert np.abs(table["pixels"]).mean() > 0.01


@torch.inference_mode()
def test_a_word_is_as_probable_as_for_the_probe(lively):
    grid = lively.encode([lively.load_square(PHOTOS / "surfer-standing-on-beach.jpg")])
    encode = lively.tokenizer.encode
    before, tokens = encode("a brown"), encode("dog")
    score = word_score(lively.model.decoder, before + tokens, len(before))
    expected = word_probability(lively, grid, ["a", "brown", "dog"], 2)
    assert score(grid).exp().item() == pytest.approx(expected.item(), rel=1e-4)


def test_no_result_depends_on_the_batch(lively, readings):
    reading = readings[0]
    spans = [(start, stop) for _, start, stop in reading.words]
    memory = lively.decoder.prepare(reading.grid[None])
    hidden = torch.rand(3, 5, 4) < 0.5
    found = [
        logprobs_hidden(lively.decoder, memory, reading.tokens[: spans[-1][1]], spans, hidden, rows)
        for rows in (1, 4, 64)
    ]
    assert found[0].shape == (3, 5, len(spans))
    assert found[0].std((0, 1)).min() > 0
    for other in found[1:]:
        assert other.allclose(found[0], atol=1e-5)


def test_explanations_by_hiding_are_what_hiding_gives(lively, readings):
    """On the decoder that the gradients see, with the cells of a grid of 2 x 2 hidden by hand."""
    reading = readings[0]
    values, seconds = explain_words(lively, reading)
    assert values.shape == (len(reading.words), len(OF_WORDS), 4)
    assert min(seconds) > 0
    found = dict(zip(OF_WORDS, values.transpose(1, 0, 2)))
    mean = reading.grid.mean(0)
    for word, (_, start, stop) in enumerate(reading.words):
        score = word_score(lively.model.decoder, reading.tokens[:stop], start)

        def loss(*cells, score=score):
            grid = reading.grid.clone()
            grid[list(cells)] = mean
            return (score(reading.grid[None]) - score(grid[None])).item()

        alone = [loss(0, 1, 2, 3) - loss(*{0, 1, 2, 3} - {cell}) for cell in range(4)]
        single = [loss(cell) for cell in range(4)]
        top, bottom, left, right = loss(0, 1), loss(2, 3), loss(0, 2), loss(1, 3)
        pairs = [(top + left) / 2, (top + right) / 2, (bottom + left) / 2, (bottom + right) / 2]
        assert found["evidence"][word] == pytest.approx(single, abs=1e-4)
        assert found["show_one"][word] == pytest.approx(alone, abs=1e-4)
        assert found["both_ways"][word] == pytest.approx(np.mean([alone, single], 0), abs=1e-4)
        assert found["neighbour_pairs"][word] == pytest.approx(pairs, abs=1e-4)
        assert found["windows"][word] == pytest.approx([loss(0, 1, 2, 3)] * 4, abs=1e-4)
        assert found["smoothed_evidence"][word] == pytest.approx([np.mean(single)] * 4, abs=1e-4)


def test_windows_of_a_grid_and_the_mean_over_them():
    found = windows(3, 1, 2)
    assert found.int().tolist() == [
        [1, 1, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 1, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 1, 1, 0],
        [0, 0, 0, 0, 0, 0, 0, 1, 1],
    ]
    assert windows(8, 2, 2).sum(1).tolist() == [4] * 49
    assert by_hiding(lambda sets: np.array([[1.0, 2, 3, 4, 5, 6]]), found).tolist() == [
        [1, 1.5, 2, 3, 3.5, 4, 5, 5.5, 6]
    ]


def test_smoothing_takes_the_mean_of_what_is_near():
    values = np.arange(9.0)[None]
    near = smooth(values, 3)[0]
    assert near[4] == 4
    assert near[0] == np.mean([0, 1, 3, 4])
    assert near[7] == np.mean([3, 4, 5, 6, 7, 8])


def test_curves_in_the_photo(lively, readings):
    table = measure_curves(lively, readings, seed=0)
    counts = counts_in_photo(4)
    assert counts == [0, 1, 2, 4]
    assert counts_in_photo(64) == [0, 2, 8, 24, 64]
    assert table["curves"].shape == (len(table["photo"]), len(RANKINGS_IN_PHOTO), 2, 4)
    assert (table["curves"][:, :, 0, 0] == 0).all()
    assert table["curves"][:, :, 0, -1] == pytest.approx(table["curves"][:, :, 1, 0])  # all hidden
    reading = readings[0]
    for row, (_, start, stop) in enumerate(reading.words):
        score = word_score(lively.model.decoder, reading.tokens[:stop], start)
        holes = [hide_cells(reading.square, cells, 2) for cells in ([], [0], [1], [2], [3])]
        whole, *without = score(lively.encode(holes)).tolist()
        one_hidden = table["curves"][row, RANKINGS_IN_PHOTO.index("photo_evidence"), 0, 1]
        assert one_hidden == pytest.approx(min(without) - whole, abs=1e-4)  # the square that matters most comes first
    report = summarize_curves(table, 4, 0)
    assert report["words"] == len(table["photo"])
    fall = report["rankings"]["photo_evidence"]["fall_of_an_eighth"]["mean"]
    assert fall == max(found["fall_of_an_eighth"]["mean"] for found in report["rankings"].values())


def test_photos_without_holes_are_left_out(lively, readings):
    table = measure(lively, readings, COUNTS, replace(EXACT, in_photo=2))
    found = summarize(table, COUNTS, 1, 0)
    among = np.isin(table["photo"], np.unique(table["photo"])[:2])
    assert np.isnan(table["pixels"][~among]).all()
    for kind, name in enumerate(RANKINGS):
        assert found["photo"][name]["fall"]["mean"] == pytest.approx(-table["pixels"][among, kind].mean(), abs=1e-4)
    everywhere = summarize(measure(lively, readings, COUNTS, EXACT), COUNTS, 1, 0)
    assert everywhere["grid"] == found["grid"]


def test_a_model_is_known_by_its_weights_and_its_attention(lively):
    known = [fingerprint(lively)]
    lively.model.config = replace(lively.model.config, normalizer="hard")
    known.append(fingerprint(lively))
    lively.model.decoder.output_bias[3] += 1e-3
    known.append(fingerprint(lively))
    assert len(set(known)) == 3
    assert known[-1] == fingerprint(lively)


def test_counts_along_a_curve():
    assert hidden_counts(64, 8) == [0, 1, 2, 4, 8, 16, 32, 64]
    assert hidden_counts(49, 5) == [0, 1, 2, 4, 5, 8, 16, 32, 49]
    for wanted in (0, 4):
        with pytest.raises(SystemExit, match="grid's 4"):
            hidden_counts(4, wanted)


def test_what_is_hidden_first():
    deletion, insertion = deletion_and_insertion(np.array([2, 0, 3, 1]), [1, 2])
    assert deletion.tolist() == [[False, False, True, False], [True, False, True, False]]
    assert insertion.tolist() == [[True, True, False, True], [False, True, False, True]]


def test_ties_come_in_random_order():
    values = np.tile([0.0, 0.0, 0.7, 0.0, 0.3, 0.0], (200, 1))
    orders = order_cells(values, np.random.default_rng(0))
    assert (orders[:, :2] == [2, 4]).all()
    assert (np.sort(orders) == np.arange(6)).all()
    assert np.bincount(orders[:, 2], minlength=6)[[0, 1, 3, 5]].min() > 30


def test_own_other_and_random_are_told_apart():
    values = np.zeros((DRAWS + 3, 3))  # rankings x words
    values[:DRAWS] = np.arange(DRAWS)[:, None]
    values[DRAWS:] = [[1, 20, 30], [10, 2, 50], [40, 60, 3]]
    expected = [[1, 25, 1], [2, 40, 1], [3, 40, 1]]
    assert compare(values, 3).tolist() == expected
    alone = np.array([[5.0], [6], [7], [1], [9]])  # one word, and a stranger's map
    assert compare(alone, 1).tolist() == [[1, 9, 6]]


def test_attributions_add_up_to_the_difference(lively, readings):
    sums, differences = [], []
    for reading in readings:
        grid = 5 * reading.grid.clone()  # far from the mean, where one gradient would not do
        ends = torch.stack([grid, grid.mean(0).expand_as(grid)])
        for _, start, stop in reading.words:
            score = word_score(lively.model.decoder, reading.tokens[:stop], start)
            sums.append(integrated_gradients(score, grid, 32).sum().item())
            differences.append(-score(ends).diff().item())
    assert np.abs(differences).mean() > 0.1
    assert sums == pytest.approx(differences, abs=1e-3)


def test_gradients_of_what_is_linear_are_exact():
    slope, grid = torch.randn(4, 3), torch.randn(4, 3)

    def score(grids):
        return (grids * slope).sum((1, 2))

    assert input_x_gradient(score, grid).allclose((grid * slope).sum(-1), atol=1e-5)
    path = integrated_gradients(score, grid)
    assert path.allclose(((grid - grid.mean(0)) * slope).sum(-1), atol=1e-5)


def test_hard_attention_has_gradients_only_where_it_looked(tokenizer):
    torch.manual_seed(0)
    config = ModelConfig("test_resnet", 64, len(tokenizer), hidden=16, attention_size=8, normalizer="hard")
    captioner = Captioner(CaptionModel(config), tokenizer)
    captioner.model.requires_grad_(False)
    grid = torch.randn(4, captioner.model.encoder.channels)
    tokens = [5, 9, 7]
    _, weights = captioner.model.decoder(grid[None], torch.tensor([[[2, *tokens[:-1]]]]))
    looked = weights[0, 0].sum(0) > 0
    assert 0 < looked.sum() < 4
    values = input_x_gradient(word_score(captioner.model.decoder, tokens, 2), grid)
    assert ((values != 0) == looked).all()


def test_rank_correlation_is_spearmans():
    random = np.random.default_rng(0)
    first, second = random.integers(0, 5, 40), random.integers(0, 5, 40) + random.integers(0, 3, 40)
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic)
    assert rank_correlation(first, first**3) == pytest.approx(1)
    assert rank_correlation(first, np.ones(40)) == 0


def test_intervals_know_that_words_of_a_photo_hang_together():
    photo = np.repeat(np.arange(50), 10)
    value = np.random.default_rng(0).normal(size=50)
    together = interval(value[photo], photo, 0)
    assert together["mean"] == pytest.approx(value.mean(), abs=1e-4)
    error = value.std() / 50**0.5
    assert together["high"] - together["low"] == pytest.approx(2 * 1.96 * error, rel=0.15)
    apart = interval(value[photo], np.arange(500), 0)
    assert apart["high"] - apart["low"] < 0.5 * (together["high"] - together["low"])


def test_nothing_is_hidden_in_photos_if_not_wanted(lively, tmp_path):
    shapes = make_shapes(tmp_path / "shapes", photos=30)
    lively.save_pretrained(tmp_path / "tiny")
    limits = ["--captions", "5", "--cells", "1", "--in-photo", "0", "--photo-curves", "0"]
    main(["--data", str(shapes), *limits, "--model", str(tmp_path / "tiny"), "--out", str(tmp_path)])
    found = json.loads((tmp_path / "faithfulness.json").read_text())["models"]["tiny"]
    assert (found["photo"], found["photo_curves"]) == ({}, None)
    assert (tmp_path / "faithfulness.png").is_file()


def test_the_command_writes_numbers_and_a_figure(lively, tmp_path, capsys):
    shapes = make_shapes(tmp_path / "shapes", photos=30)
    lively.save_pretrained(tmp_path / "tiny")
    command = ["--data", str(shapes), "--captions", "5", "--cells", "1", "--out", str(tmp_path / "out")]
    main([*command, "--model", str(tmp_path / "tiny")])
    report = json.loads((tmp_path / "out" / "faithfulness.json").read_text())
    assert report["settings"]["captions"] == 5
    assert report["versions"]["captum"]
    found = report["models"]["tiny"]
    assert found["photos"] == 5
    assert found["counts"] == [0, 1, 2, 4]
    assert set(found["grid"]) == set(RANKINGS)
    assert 1 <= found["effective_cells"]["mean"] <= 4
    assert found["path_error"] < 0.05
    assert set(found["seconds_per_caption"]) == set(OF_WORDS)
    assert found["photo_curves"]["photos"] == 5
    first = Image.open(tmp_path / "out" / "faithfulness.png").size

    capsys.readouterr()
    main([*command, "--model", str(tmp_path / "tiny"), "--model", f"again={tmp_path / 'tiny'}"])
    assert "tiny: measured before" in capsys.readouterr().out
    again = json.loads((tmp_path / "out" / "faithfulness.json").read_text())["models"]
    assert again.pop("tiny") == found
    different = {"source", "seconds", "seconds_per_caption"}
    assert {k: v for k, v in again["again"].items() if k not in different} == {
        k: v for k, v in found.items() if k not in different
    }
    second = Image.open(tmp_path / "out" / "faithfulness.png").size
    assert second[1] > 1.4 * first[1]

    main([*command, "--model", str(tmp_path / "tiny"), "--precision", "bf16"])
    assert "measured before" not in capsys.readouterr().out
    models = json.loads((tmp_path / "out" / "faithfulness.json").read_text())["models"]
    assert {label: model["encoder_precision"] for label, model in models.items()} == {"tiny": "bf16", "again": "fp32"}
