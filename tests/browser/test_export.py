"""The exported graphs compute what PyTorch does, from the published weights."""

import json

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper
from safetensors.numpy import load_file
from support.commands import run
from support.exported import Exported

from capmodel.browser.export import export
from capmodel.decoding.beam_search import beam_search
from capmodel.model.decoder import Memory, State
from capmodel.resources import MODELS

KINDS = ["softmax", "sparsemax", "hard"]


class OnnxDecoder:
    """Steps like a `Decoder`, so that PyTorch's own search runs over the exported graphs."""

    def __init__(self, exported, kind: str, hidden: int):
        self.exported, self.kind, self.hidden = exported, kind, hidden

    def prepare(self, grid: np.ndarray) -> Memory:
        found = self.exported.run(f"prepare-{self.kind}", grid=grid)
        return Memory(torch.from_numpy(found["cells"]), torch.from_numpy(found["keys"]))

    def start(self, memory: Memory, captions: int) -> State:
        return State(*torch.zeros(2, len(memory.grid), captions, self.hidden))

    def step(self, tokens: torch.Tensor, state: State, memory: Memory):
        inputs = (tokens.int(), *state, *memory)
        names = ("tokens", "hidden", "cell", "cells", "keys")
        found = self.exported.run(
            f"step-{self.kind}", **{name: value.numpy() for name, value in zip(names, inputs, strict=True)}
        )
        logprobs, hidden, cell, weights = map(torch.from_numpy, found.values())
        return logprobs, State(hidden, cell), weights


def test_the_encoder_is_that_of_pytorch(exported, squares, grid):
    found = np.concatenate([exported.run("encoder", pixels=part)["grid"] for part in np.split(squares, 7)])
    np.testing.assert_allclose(found, grid, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_captions_maps_and_probabilities_are_those_of_pytorch(exported, captioners, grid, kind):
    captioner = captioners[KINDS.index(kind)]
    decoder = OnnxDecoder(exported, kind, captioner.model.config.hidden)
    [found] = zip(*beam_search(decoder, decoder.prepare(grid)), strict=True)
    [expected] = zip(*beam_search(captioner.decoder, captioner.decoder.prepare(torch.from_numpy(grid))), strict=True)
    assert len(found) == 28
    for one, other in zip(found, expected, strict=True):
        assert one.tokens == other.tokens
        assert one.score == pytest.approx(other.score, abs=1e-4)
        torch.testing.assert_close(one.logprobs, other.logprobs, rtol=0, atol=1e-4)
        torch.testing.assert_close(one.weights, other.weights, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_one_step_is_that_of_the_module(exported, captioners, grid, kind):
    captioner = captioners[KINDS.index(kind)]
    decoder, ours = captioner.model.decoder, OnnxDecoder(exported, kind, captioner.model.config.hidden)
    random = torch.Generator().manual_seed(0)
    tokens = torch.randint(4, 4000, (2, 5), generator=random)
    state = State(*torch.rand(2, 2, 5, captioner.model.config.hidden, generator=random) - 0.5)
    with torch.inference_mode():
        memory = decoder.prepare(torch.from_numpy(grid[:2]))
        logits, after, weights = decoder.step(tokens, state, memory)
    logprobs, ours_after, ours_weights = ours.step(tokens, state, ours.prepare(grid[:2]))
    torch.testing.assert_close(logprobs, logits.log_softmax(-1), rtol=0, atol=1e-4)
    torch.testing.assert_close(ours_after, after, rtol=0, atol=1e-4)
    torch.testing.assert_close(ours_weights, weights, rtol=0, atol=1e-4)
    if kind == "sparsemax":
        assert ((ours_weights == 0) == (weights == 0)).all()
        assert 0 < (weights > 0).sum(-1).float().mean() < 32
    if kind == "hard":
        assert ((ours_weights == 1).sum(-1) == 1).all()


def stored(path) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


@pytest.mark.parametrize("kind", KINDS)
def test_every_published_weight_is_stored_as_it_is(exported, kind):
    published = load_file(MODELS / kind / "model.safetensors")
    shared = load_file(MODELS / "softmax" / "model.safetensors")
    of_encoder = stored(exported.folder / "encoder.onnx")
    expected = {name: value for name, value in shared.items() if name.startswith("encoder.") and value.ndim > 1}
    assert len(expected) == 31
    for name, value in expected.items():
        assert of_encoder[name].dtype == value.dtype == np.float16
        np.testing.assert_array_equal(of_encoder[name], value)

    prepare, step = (stored(exported.folder / f"{graph}-{kind}.onnx") for graph in ("prepare", "step"))
    halves = {
        "lstm.weight_ih": np.concatenate([step["embedded"], prepare["attended"]], 1),
        "lstm.weight_hh": step["recurrent"],
        "embedding.weight": step["embedding.weight"],
        "attention.linear_e.weight": prepare["keys.weight"],
        "attention.linear_d.weight": step["query.weight"],
        "attention.linear_out.weight": step["score.weight"],
    }
    matrices = {name for name, value in published.items() if name.startswith("decoder.") and value.ndim > 1}
    assert matrices == {f"decoder.{name}" for name in halves}
    for name, value in halves.items():
        assert value.dtype == np.float16, name
        np.testing.assert_array_equal(value, published[f"decoder.{name}"])


def test_no_weight_is_stored_twice_or_in_fp32(exported):
    for path in exported.folder.glob("*.onnx"):
        graph = onnx.load(path).graph
        sizes = {
            tensor.name: np.prod(tensor.dims) for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT
        }
        assert max(sizes.values()) <= 4000, (path.name, sizes)
        halves = sum(
            np.prod(tensor.dims) * 2 for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT16
        )
        assert path.stat().st_size < 1.02 * halves + 300_000, path.name


def test_the_size_of_the_download(exported):
    sizes = (
        exported.description["files"]["encoder"]["bytes"],
        *(file["bytes"] for file in exported.description["kinds"]["softmax"].values()),
    )
    published = (MODELS / "softmax" / "model.safetensors").stat().st_size
    assert abs(sum(sizes) - published) < 0.02 * published


def test_the_description_names_files_and_sizes(exported, captioners):
    described, config = exported.description, captioners[0].model.config
    assert described["sizes"] == {
        "image": 256,
        "side": 8,
        "channels": 2048,
        "hidden": config.hidden,
        "attention": config.attention_size,
        "vocabulary": config.vocabulary,
    }
    assert list(described["kinds"]) == KINDS
    files = [described["files"]["encoder"], *(file for kind in described["kinds"].values() for file in kind.values())]
    for file in files:
        assert (exported.folder / file["file"]).stat().st_size == file["bytes"]
    assert {path.name for path in exported.folder.iterdir()} == {"captioner.json", *(file["file"] for file in files)}
    assert described["decoding"]["beam"] == 5
    assert not described["small"]


@pytest.mark.slow
def test_the_small_edition_has_half_the_bytes_and_nearly_the_same_grid(captioner, squares, grid, exported, tmp_path):
    export("softmax", [captioner], tmp_path, small=True)
    small = Exported(tmp_path)
    assert small.description["small"]
    for path in tmp_path.glob("*.onnx"):
        assert path.stat().st_size < 0.53 * (exported.folder / path.name).stat().st_size
    found = small.run("encoder", pixels=squares[:4])["grid"]
    difference = np.linalg.norm(found - grid[:4]) / np.linalg.norm(grid[:4])
    assert 0 < difference < 0.1


def test_any_model_can_be_exported_from_the_command_line(tiny_captioner, tmp_path):
    tiny_captioner.save_pretrained(tmp_path / "tiny")
    out = tmp_path / "out"
    printed = run(f"python -m capmodel.browser export --model {tmp_path / 'tiny'} --out {out}")
    described = json.loads((out / "captioner.json").read_text(encoding="utf-8"))
    assert described["model"] == "tiny"
    assert described["sizes"]["image"] == 64
    for path in out.iterdir():
        assert f"{path.stat().st_size:,}  {path}" in printed


def test_a_kind_that_is_not_there_is_named(capsys, tmp_path):
    with pytest.raises(SystemExit):
        run(f"python -m capmodel.browser export --attention soft --out {tmp_path}")
    assert capsys.readouterr().err == (
        "softmax has no 'soft' attention beside it; choose from softmax, sparsemax, hard.\n"
    )


def test_without_the_extra_it_says_what_to_install(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("capmodel.browser.__main__.NEEDED", ("onnx_that_is_not_there",))
    with pytest.raises(SystemExit):
        run(f"python -m capmodel.browser export --out {tmp_path}")
    assert capsys.readouterr().err == (
        "Exporting for the browser needs onnx_that_is_not_there: "
        'pip install "capmodel[browser]", or in a checkout pip install ".[browser]".\n'
    )
