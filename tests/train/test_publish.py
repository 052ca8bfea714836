"""Publishing a model, the Space and the training scripts, at a stand-in for the Hugging Face Hub.

That the page runs from the files of the Space alone: tests/test_space.py.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from capmodel import Captioner
from train.release import publish


@pytest.fixture
def model(tiny_captioner, tmp_path):
    tiny_captioner.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "README.md").write_text("---\nlanguage: en\n---\n# A small one\n")
    return tmp_path / "model"


def listed(printed: str) -> dict[str, int]:
    """The files of a listing and their bytes, but for its last line."""
    return {name: int(size.replace(",", "")) for size, name in re.findall(r"^ *([\d,]+)  (\S+)$", printed, re.M)}


@pytest.mark.parametrize(
    ("what", "repository", "page"),
    [
        ("model", "models/someone/thing", "someone/thing"),
        ("space", "spaces/someone/thing", "spaces/someone/thing"),
        ("scripts", "models/someone/thing", "someone/thing"),
    ],
)
def test_the_dry_run_lists_what_is_then_uploaded(hub, model, monkeypatch, capsys, what, repository, page):
    monkeypatch.delenv("HF_TOKEN")
    command = [what, "--repo", "someone/thing", "--model", str(model)]
    publish.main([*command, "--dry-run"])
    printed = capsys.readouterr().out
    assert hub.requests == []
    assert "Nothing was uploaded." in printed
    files = listed(printed)
    assert f"{sum(files.values()):,}  bytes in {len(files)} files" in printed

    monkeypatch.setenv("HF_TOKEN", "hf_of_someone")
    publish.main([*command, "--private"])
    made = hub.repositories[repository]
    assert {name: len(content) for name, content in made.files.items()} == files
    assert (made.private, made.commits, made.sdk) == (True, 1, "gradio" if what == "space" else None)
    assert capsys.readouterr().out.endswith(f"Published: {hub.address}/{page}\n")


def test_the_page_without_a_server_becomes_a_static_space(hub, monkeypatch, capsys):
    """That the page works from these files alone: tests/site."""

    def write_page(arguments: list[str]) -> None:
        assert arguments[:4] + arguments[5:] == ["site", "--model", "softmax", "--out", "--small"]
        folder = Path(arguments[4])
        (folder / "captioner" / "1").mkdir(parents=True)
        (folder / "index.html").write_text("<!DOCTYPE html>")
        (folder / "captioner" / "1" / "encoder.onnx").write_bytes(b"\0\1")

    monkeypatch.setattr(publish, "write_page", write_page)
    command = ["static", "--small", "--repo", "someone/page"]
    publish.main([*command, "--dry-run"])
    assert list(listed(capsys.readouterr().out)) == ["README.md", "captioner/1/encoder.onnx", "index.html"]
    publish.main(command)
    made = hub.repositories["spaces/someone/page"]
    assert made.sdk == "static"
    assert made.files["captioner/1/encoder.onnx"] == b"\0\1"
    head = yaml.safe_load(made.files["README.md"].decode().split("---")[1])
    assert (head["sdk"], head["app_file"]) == ("static", "index.html")
    headers = head["custom_headers"]
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert headers["cross-origin-opener-policy"] == "same-origin"


def test_a_model_goes_with_its_card(hub, model, monkeypatch):
    publish.main(["model", "--model", str(model), "--repo", "someone/small"])
    files = hub.repositories["models/someone/small"].files
    assert {name: content for name, content in files.items() if name != "model.safetensors"} == {
        file.name: file.read_bytes() for file in model.iterdir() if file.name != "model.safetensors"
    }
    assert Captioner.from_pretrained("someone/small").card == "---\nlanguage: en\n---\n# A small one\n"


def test_a_small_bundled_model_goes_with_its_backbone(capsys):
    publish.main(["model", "--model", "sparsemax", "--repo", "someone/sparsemax", "--dry-run"])
    assert listed(capsys.readouterr().out)["model.safetensors"] > 40e6


RUN_AND_IMPORT = """
import runpy, sys
from importlib import import_module

modules = sys.argv[1:]
for name in ("xe", "release.publish"):
    sys.argv = [name, "--help"]
    try:
        runpy.run_module(f"train.{name}", run_name="__main__")
    except SystemExit as end:
        assert not end.code
for module in modules:
    import_module(module)
print(sys.modules["capmodel"].__file__)
"""


def test_the_scripts_run_by_themselves(tmp_path):
    files = publish.files_of("scripts", "", "someone/scripts", tmp_path / "none")
    write(files, tmp_path)
    modules = [name[:-3].replace("/", ".") for name in files if name.endswith(".py") and "__" not in name]
    done = python(tmp_path, "-c", RUN_AND_IMPORT, *modules)
    assert done.returncode == 0, done.stderr
    *printed, place = done.stdout.splitlines()
    for name in ("xe", "release.publish"):
        assert any(f"python -m train.{name}" in line for line in printed)
    assert Path(place).is_relative_to(tmp_path)


def test_the_space_is_published_from_the_whole_project(tmp_path, monkeypatch):
    write(publish.files_of("scripts", "", "someone/scripts", tmp_path / "none"), tmp_path)
    monkeypatch.setattr(publish, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match=r"has no app\.py; publish from the whole project"):
        publish.main(["space", "--repo", "someone/page", "--dry-run"])


def test_scripts_that_need_other_files_stay_at_home(tmp_path):
    for name, content in publish.files_of("scripts", "", "someone/scripts", tmp_path).items():
        if name.startswith("train/"):
            assert not re.search(rb'\bASSETS\b|"assets"', content.read_bytes()), f"{name} needs unpublished files"


@pytest.mark.parametrize(
    ("arguments", "token", "reason"),
    [
        (["scripts", "--repo", "someone/x"], "", "run `hf auth login`, or set HF_TOKEN"),
        (["scripts", "--repo", "someone/x"], "hf_wrong", "it does not know the token"),
        (["scripts", "--repo", "other/x"], "hf_of_someone", "the token may not write to other/x"),
        (["model", "--model", "no-such", "--repo", "someone/x"], "hf_of_someone", "There is no model 'no-such'"),
    ],
)
def test_what_cannot_be_published_is_one_sentence(hub, monkeypatch, capsys, arguments, token, reason):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(SystemExit) as end:
        publish.main(arguments)
    # A script is ended with a message, or with a status after the message was printed.
    said = end.value.code if isinstance(end.value.code, str) else capsys.readouterr().err.strip()
    assert reason in said
    assert "\n" not in said
    assert hub.repositories == {}


def test_a_repository_has_an_owner(capsys):
    with pytest.raises(SystemExit):
        publish.main(["space", "--repo", "page", "--dry-run"])
    assert "--repo must be OWNER/NAME, not 'page'" in capsys.readouterr().err


def write(files: dict[str, Path | bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            (folder / name).write_bytes(content.read_bytes())


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Runs Python in a folder, where the project's own files cannot be seen."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
