"""A model that cannot be loaded is one sentence in every script."""

import shlex
import socket
from importlib import import_module
from pathlib import Path

import pytest
from accelerate.state import AcceleratorState
from huggingface_hub import constants

from capmodel.model.caption_model import CONFIG, WEIGHTS
from capmodel.resources import MODELS
from tests.support.shapes import make_shapes

SCRIPTS = {
    "capmodel.__main__": "{photo} --model {model}",
    "capmodel.bulk.__main__": "{data}/Images --out {out} --model {model}",
    "app": "--check --model {model}",
    "train.evaluate": "--data {data} --model {model}",
    "train.faithfulness": "--data {data} --out {out} --model softmax --model later={model}",
    "train.scst": "--data {data} --out {out} --model {model}",
    "train.finetune": "--data {data} --out {out} --init {model}",
    "train.xe": "--data {data} --out {out} --init {model}",
    "train.release.bundle": "--model {model} --base softmax --out {out}/../base",
    "train.release.publish": "model --repo a/b --dry-run --model {model}",
}
BACKBONES = {
    "train.xe": "--data {data} --out {out} --backbone {model}",
    "train.distill": "--photos {data}/Images --out {out} --init {model}",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_shapes(tmp_path_factory.mktemp("data") / "shapes", photos=40)


@pytest.fixture
def bad(tmp_path, monkeypatch):
    """Models that cannot be loaded, by kind, with what is said of them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.safetensors").write_bytes(b"weights")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in (MODELS / "softmax").iterdir():
        (damaged / file.name).write_bytes(file.read_bytes()[: 1_000_000 if file.name == WEIGHTS else None])
    return {
        "nowhere": ("nowhere", "There is no model 'nowhere'"),
        "folder": ("folder", f"folder is not a model folder: it has no {CONFIG}."),
        "file": ("file.safetensors", "file.safetensors is a file; a model is a folder"),
        "damaged": ("damaged", "is not a complete safetensors file"),
        "long": ("x" * 300, "File name too long"),
        "hub": ("owner/name", "There is no model 'owner/name'"),
    }


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def sentence(capsys, module: str, line: str, **names) -> str:
    main = import_module(module).main
    AcceleratorState._reset_state(reset_partial_state=True)
    with pytest.raises(SystemExit) as end:
        main(shlex.split(line.format(**names)))
    said = [text for text in capsys.readouterr().err.splitlines() if text]
    assert end.value.code == 2, said
    assert "Traceback" not in " ".join(said)
    return said[-1]


@pytest.mark.usefixtures("no_network", "java")
@pytest.mark.parametrize("module", SCRIPTS)
def test_every_script_says_so(capsys, tmp_path, data, bad, module):
    for kind in bad if module in ("capmodel.__main__", "train.release.bundle") else ("nowhere", "folder"):
        model, message = bad[kind]
        names = {"data": data, "photo": data / "Images/0000.jpg", "out": tmp_path / "out", "model": model}
        said = sentence(capsys, module, SCRIPTS[module], **names)
        assert message in said, (kind, said)
        assert said.endswith(".")


@pytest.mark.parametrize("module", BACKBONES)
def test_so_do_those_that_begin_with_a_backbone(capsys, tmp_path, data, module):
    said = sentence(capsys, module, BACKBONES[module], data=data, out=tmp_path / "out", model=tmp_path / "nowhere")
    assert said == f"{tmp_path / 'nowhere'} is not a model folder: it has no backbone.json."


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("backbone", "message"),
    [("resnet26d", "timm's weights of resnet26d could not be downloaded: "), ("vit", "'vit' is neither a ResNet nor")],
)
def test_timms_weights_without_a_network(capsys, tmp_path, monkeypatch, backbone, message):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    line = "--backbone {backbone} --pretrained --out {out}"
    said = sentence(capsys, "train.distill", line, backbone=backbone, out=Path(tmp_path, "out"))
    assert said.startswith(message)
    assert not (tmp_path / "out").exists()
