"""Photos in, captions out: words, maps, probabilities, alternatives; saved and loaded."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.samples import PHOTOS

from capmodel import Captioner, CaptionModel, DecodeOptions, ModelConfig, PhotoError
from capmodel.decoding.tokenizer import END, START
from capmodel.model.backbone import GridEncoder
from capmodel.model.caption_model import CONFIG, TOKENIZER, WEIGHTS
from capmodel.photos import load_photo
from capmodel.resources import MODELS

FIVE = sorted(PHOTOS.glob("*.jpg"))[:5]
SHORT = DecodeOptions(max_tokens=8)


def test_words_carry_maps_and_probabilities(tiny_captioner):
    for caption in tiny_captioner(FIVE, SHORT):
        assert caption.text == " ".join(word.text for word in caption.words)
        for word in caption.words:
            assert word.weights.shape == (2, 2)
            assert word.weights.sum() == pytest.approx(1, abs=1e-5)
            assert 0 < word.probability <= 1
            chances = [chance for _, chance in word.alternatives]
            assert chances == sorted(chances, reverse=True)
            assert len(word.alternatives) <= 5
            assert word.text not in [text for text, _ in word.alternatives]


@torch.no_grad()
def test_word_is_mean_of_its_pieces_maps_and_product_of_their_probabilities(tiny_captioner):
    model, tokenizer = tiny_captioner.model, tiny_captioner.tokenizer
    grid = tiny_captioner.encode([tiny_captioner.load_square(FIVE[0])])
    prefix = "a skateboarder climbs mountains"
    caption = tiny_captioner.describe(grid, DecodeOptions(max_tokens=len(tokenizer.encode(prefix))), [prefix])[0][0]
    assert caption.text == prefix
    tokens = tokenizer.encode(prefix)
    logits, weights = model.decoder(grid, torch.tensor([[[START, *tokens]]]))
    logprobs = logits[0, 0].log_softmax(-1)[range(len(tokens) + 1), [*tokens, END]]
    for word, (_, start, stop) in zip(caption.words, tokenizer.word_spans(tokens), strict=True):
        assert word.probability == pytest.approx(logprobs[start:stop].sum().exp().item(), rel=1e-4)
        np.testing.assert_allclose(word.weights.flatten(), weights[0, 0, start:stop].mean(0), atol=1e-6)


@torch.no_grad()
def test_alternatives_are_whole_words_with_their_own_probability(tiny_captioner):
    """Each alternative's probability is what the model gives to its tokens after the words before it."""
    model, tokenizer = tiny_captioner.model, tiny_captioner.tokenizer
    grid = tiny_captioner.encode([tiny_captioner.load_square(FIVE[1])])
    # The random model gives alternatives of many pieces: a hard case.
    caption = tiny_captioner.describe(grid, DecodeOptions(max_tokens=20), ["a dog runs"])[0][0]
    before, checked = [], 0
    for word in caption.words[:3]:
        for text, probability in word.alternatives:
            tokens = [END] if text == "." else tokenizer.encode(text)
            logits, _ = model.decoder(grid, torch.tensor([[[START, *before, *tokens]]]))
            logprobs = logits[0, 0].log_softmax(-1)
            own = sum(logprobs[len(before) + index, token].item() for index, token in enumerate(tokens))
            if tokenizer.decode(tokens) == text and len(tokens) == 1:
                assert probability == pytest.approx(np.exp(own), rel=1e-3)
                checked += 1
        before += tokenizer.encode(word.text)
    assert checked >= 3


def test_batches_and_order_do_not_matter(tiny_captioner):
    together = [caption.text for caption in tiny_captioner(FIVE, SHORT)]
    assert [tiny_captioner([photo], SHORT)[0].text for photo in FIVE] == together
    assert [caption.text for caption in tiny_captioner.stream(FIVE, SHORT, batch_size=2)] == together
    assert [caption.text for caption in tiny_captioner(FIVE[::-1], SHORT)] == together[::-1]


def test_candidates_differ_and_are_ranked(tiny_captioner):
    grid = tiny_captioner.encode([tiny_captioner.load_square(photo) for photo in FIVE])
    for captions in tiny_captioner.describe(grid, DecodeOptions(candidates=3, max_tokens=8)):
        assert len({caption.text for caption in captions}) == 3
        scores = [caption.score for caption in captions]
        assert scores == sorted(scores, reverse=True)


def test_a_bad_photo_does_not_stop_the_others(tiny_captioner):
    results = list(tiny_captioner.stream([FIVE[0], b"", FIVE[1]], SHORT))
    assert isinstance(results[1], PhotoError)
    assert [results[0].text, results[2].text] == [caption.text for caption in tiny_captioner(FIVE[:2], SHORT)]
    with pytest.raises(PhotoError, match="empty"):
        tiny_captioner([b""])


def test_no_photos_no_captions(tiny_captioner):
    assert tiny_captioner([]) == []
    assert [str(result) for result in tiny_captioner.stream([b"", b""])] == ["This file is empty."] * 2


def test_one_photo_has_one_caption(tiny_captioner):
    """A path, as text too; and pixels, which are many photos only in four dimensions."""
    pixels = [load_photo(photo, at_least=64) for photo in FIVE[:2]]
    squares = [tiny_captioner.load_square(photo) for photo in pixels]
    expected = [caption.text for caption in tiny_captioner(squares, SHORT)]
    for photo in (FIVE[0], str(FIVE[0]), FIVE[0].read_bytes(), io.BytesIO(FIVE[0].read_bytes())):
        assert tiny_captioner(photo, SHORT).text == tiny_captioner([photo], SHORT)[0].text
    assert tiny_captioner(squares[0], SHORT).text == expected[0]
    tensor = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2)
    assert tiny_captioner(tensor[1], max_tokens=8).text == expected[1]
    assert [found.text for found in tiny_captioner.stream(squares[0], SHORT)] == expected[:1]
    for many in (np.stack(squares), tensor, tensor / 255, (square for square in squares)):
        assert [caption.text for caption in tiny_captioner(many, SHORT)] == expected
    assert [caption.text for caption in tiny_captioner(np.stack(squares[:1]), SHORT)] == expected[:1]


@pytest.mark.parametrize("photo", [None, 5, {"image": "dog.jpg"}, [["dog.jpg"]], object()])
def test_what_is_no_photo_is_named(tiny_captioner, photo):
    [found] = tiny_captioner.stream(photo)
    name = type(photo[0] if isinstance(photo, list) else photo).__name__
    assert str(found).startswith(f"A photo cannot be read from a value of type {name}; give a path, ")
    with pytest.raises(PhotoError, match=name):
        tiny_captioner(photo)


def test_squashes_the_whole_photo(tiny_captioner):
    wide = np.zeros((50, 150, 3), np.uint8)
    wide[:, 75:] = 255
    square = tiny_captioner.load_square(wide)
    assert square.shape == (64, 64, 3)
    assert (square[:, :30] == 0).all()
    assert (square[:, 34:] == 255).all()


@pytest.fixture
def folder(tiny_captioner, tmp_path):
    tiny_captioner.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_saved_and_loaded_it_says_the_same(tiny_captioner, folder):
    again = Captioner.from_pretrained(folder)
    assert [caption.text for caption in again(FIVE, SHORT)] == [caption.text for caption in tiny_captioner(FIVE, SHORT)]
    for name, value in tiny_captioner.model.state_dict().items():
        torch.testing.assert_close(again.model.state_dict()[name], value, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("captions_in", [False, True])
@pytest.mark.parametrize("loads_in", [False, True])
def test_it_loads_and_captions_in_any_mode(tiny_captioner, folder, loads_in, captions_in):
    with torch.inference_mode(loads_in):
        again = Captioner.from_pretrained(folder)
        GridEncoder("test_resnet", image_size=64).save(folder / "backbone")
        encoder = GridEncoder.load(folder / "backbone")
    with torch.inference_mode(captions_in):
        assert again(FIVE[:1], SHORT)[0].text == tiny_captioner(FIVE[:1], SHORT)[0].text
    for module in (again.model, encoder):  # which can still be trained
        parameter = next(module.parameters())
        parameter.square().sum().backward()
        assert parameter.grad.abs().sum() > 0


def test_weights_of_another_model_are_refused(folder):
    weights = load_file(folder / WEIGHTS)
    save_file({name: value for name, value in weights.items() if "linear_d" not in name}, folder / WEIGHTS)
    with pytest.raises(RuntimeError, match="linear_d") as caught:
        Captioner.from_pretrained(folder)
    assert_one_sentence(caught.value, folder / WEIGHTS)


def assert_one_sentence(error: Exception, file: Path) -> None:
    assert str(file) in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("kept", [0, 0.01, 0.5, 0.98])
@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, TOKENIZER])
def test_a_file_that_was_cut_short_is_named(folder, name, kept):
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ValueError, match="copy or download it again") as caught:
        Captioner.from_pretrained(folder)
    assert_one_sentence(caught.value, folder / name)


@pytest.mark.parametrize("name", ["backbone.json", "backbone.safetensors"])
def test_a_backbone_file_that_was_cut_short_is_named(tmp_path, name):
    GridEncoder("test_resnet", image_size=64).save(tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:20])
    with pytest.raises(ValueError, match="copy or download it again") as caught:
        GridEncoder.load(tmp_path)
    assert_one_sentence(caught.value, tmp_path / name)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, TOKENIZER])
@pytest.mark.parametrize("content", [b"version https://git-lfs.github.com/spec/v1\n", b"[1, 2]", b"\xff\xfe\0"])
def test_a_file_that_is_something_else_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match="copy or download it again") as caught:
        Captioner.from_pretrained(folder)
    assert_one_sentence(caught.value, folder / name)


@pytest.mark.parametrize(
    "changed", [{"image_size": "64"}, {"backbone": None}, {"vocabulary": 4.5}, {"normalizer": "none"}]
)
def test_wrong_settings_are_refused(folder, changed):
    settings = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**settings, **changed}))
    with pytest.raises(ValueError, match=re.escape(str(next(iter(changed.values()))))):
        Captioner.from_pretrained(folder)


def test_unknown_settings_are_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "layers": 2}))
    with pytest.raises(ValueError, match="layers"):
        CaptionModel.load(folder)


def test_a_tokenizer_of_another_training_is_refused(tokenizer):
    model = CaptionModel(ModelConfig(backbone="test_resnet", image_size=64, vocabulary=99, hidden=8, attention_size=4))
    with pytest.raises(ValueError, match="not of the same training"):
        Captioner(model, tokenizer)


def test_an_unknown_model_lists_the_bundled_ones():
    with pytest.raises(FileNotFoundError, match="softmax"):
        Captioner.from_pretrained("no-such-model")


def test_an_incomplete_folder_is_refused(folder):
    (folder / WEIGHTS).unlink()
    with pytest.raises(FileNotFoundError, match=r"has no model\.safetensors"):
        Captioner.from_pretrained(folder)


def test_bundled_models_share_a_backbone(captioners):
    assert [captioner.attention_kind for captioner in captioners] == ["softmax", "sparsemax", "hard"]
    assert len({id(captioner.model.encoder) for captioner in captioners}) == 1
    assert [each.attention_kind for each in Captioner.family("hard")] == ["hard", "softmax", "sparsemax"]
    alone = Captioner.from_pretrained("sparsemax", precision="fp32")
    photo = sorted(PHOTOS.glob("*.jpg"))[:1]
    assert alone(photo)[0].as_dict() == captioners[1](photo)[0].as_dict()
    sizes = [sum(path.stat().st_size for path in (MODELS / name).iterdir()) for name in ("sparsemax", "hard")]
    assert sum(sizes) < 40e6


def test_a_model_without_its_backbone(tiny_captioner, tmp_path):
    base, folder = tmp_path / "base", tmp_path / "small"
    tiny_captioner.save_pretrained(base)
    tiny_captioner.model.save(folder, base="base")
    photo = sorted(PHOTOS.glob("*.jpg"))[:1]
    loaded = Captioner.from_pretrained(folder)
    assert loaded(photo, SHORT)[0].text == Captioner.from_pretrained(base)(photo, SHORT)[0].text
    loaded.save_pretrained(tmp_path / "whole")  # what is saved again stands alone
    (base / "model.safetensors").unlink()
    assert Captioner.from_pretrained(tmp_path / "whole")(photo, SHORT)[0].text == loaded(photo, SHORT)[0].text
    with pytest.raises(FileNotFoundError, match="base"):
        Captioner.from_pretrained(folder)


@pytest.mark.parametrize("base", ["..", "../elsewhere", "/etc", ""])
def test_a_base_is_a_folder_beside_the_model(tiny_captioner, tmp_path, base):
    folder = tmp_path / "model"
    tiny_captioner.save_pretrained(folder)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "base": base}))
    with pytest.raises(ValueError, match="a base that is not a folder beside it"):
        Captioner.from_pretrained(folder)
