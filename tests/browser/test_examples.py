"""The example photos' captions that come with a page without a server."""

import copy
import json

import torch

from capmodel.browser.examples import captioned_examples
from capmodel.browser.graphs import EncoderGraph, PrepareGraph, StepGraph, example_inputs
from capmodel.browser.weights import Compact, rounded_state
from capmodel.resources import ASSETS, PHOTOS

GALLERY = json.loads((ASSETS / "gallery.json").read_text(encoding="utf-8"))["photos"]


def test_they_are_the_models_and_remarks_on_others_are_left_out(tiny_captioner):
    found = captioned_examples(tiny_captioner, small=False)
    assert [sample["file"] for sample in found] == [photo["file"] for photo in GALLERY]
    expected = tiny_captioner([PHOTOS / sample["file"] for sample in found])
    for sample, caption in zip(found, expected, strict=True):
        [first] = sample["captioned"]["captions"]
        assert [word["text"] for word in first["words"]] == [word.text for word in caption.words]
        assert all(word["alternatives"] for word in first["words"])
        assert sample["caption"] == caption.text
        assert sample["remark"] is None
        kind, _, photo = sample["captioned"]["key"].partition("-")
        assert kind == "softmax"
        assert photo.isalnum()
    assert len({sample["captioned"]["key"] for sample in found}) == len(found)
    assert sum(bool(sample.get("plays")) for sample in found) == 3


def test_small_weights_are_those_that_the_browser_computes_with(tiny_captioner):
    model = tiny_captioner.model
    rounded = copy.deepcopy(model)
    rounded.load_state_dict(rounded_state(model))
    torch.manual_seed(1)
    for name, graph, part in (
        ("encoder", EncoderGraph, "encoder"),
        ("prepare", PrepareGraph, "decoder"),
        ("step", StepGraph, "decoder"),
    ):
        inputs = example_inputs(name, model.encoder, model.decoder)
        inputs = [
            torch.randint_like(each, 4, 64) if not each.is_floating_point() else torch.rand_like(each)
            for each in inputs
        ]
        with torch.no_grad():
            stored = Compact(graph(getattr(model, part)), small=True)(*inputs)
            ours = graph(getattr(rounded, part)).eval()(*inputs)
            published = graph(getattr(model, part)).eval()(*inputs)
        torch.testing.assert_close(ours, stored, rtol=1e-5, atol=1e-5)
        first = [each if isinstance(each, torch.Tensor) else each[0] for each in (ours, published)]
        assert not torch.allclose(*first, rtol=1e-5, atol=1e-5)
