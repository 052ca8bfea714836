"""`python -m capmodel.browser site`; the export itself is tested in tests/browser."""

import json
import re
import shutil

import pytest
from support.commands import run

from capmodel.browser import description


@pytest.fixture
def asked(exported_models, samples, monkeypatch):
    """What is exported, instead of which a copy is taken: kinds of attention, and whether it is small."""
    found = []

    def export(name, captioners, folder, small):
        kinds = [captioner.attention_kind for captioner in captioners]
        found.append((name, kinds, small))
        shutil.copytree(exported_models, folder, dirs_exist_ok=True)
        described = description.read(folder)
        described |= {"kinds": {kind: described["kinds"][kind] for kind in kinds}, "small": small}
        (folder / description.NAME).write_text(json.dumps(described), encoding="utf-8")

    monkeypatch.setattr("capmodel.browser.export.export", export)
    monkeypatch.setattr("capmodel.browser.examples.captioned_examples", lambda captioner, small: samples)
    return found


def test_a_folder(asked, tmp_path):
    out = tmp_path / "site"
    printed = run(f"python -m capmodel.browser site --out {out}")
    assert asked == [("softmax", ["softmax", "sparsemax", "hard"], False)]
    files = [file for file in out.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    assert f"{size:,}  {out} ({len(files)} files)" in printed
    assert {path.name for path in out.iterdir()} == {"index.html", "service-worker.js", "page", "captioner"}
    assert "8 bits" not in (out / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("options", "kinds"), [("", ["softmax"]), ("--attention hard --small", ["hard"])])
def test_one_file(asked, tmp_path, options, kinds):
    out = tmp_path / "captioner.html"
    printed = run(f"python -m capmodel.browser site --single {options} --out {out}")
    small = "--small" in options
    assert asked == [("softmax", kinds, small)]
    assert f"{out.stat().st_size:,}  {out}" in printed
    html = out.read_text(encoding="utf-8")
    assert sorted(re.findall(r'data-file="(\w+-\w+)\.onnx"', html)) == [f"prepare-{kinds[0]}", f"step-{kinds[0]}"]
    assert ("in 8 bits" in html) == small  # its captions differ: the page says so


@pytest.mark.parametrize("form", ["", "--single"])
def test_the_graphics_processor_is_used_only_if_wished(asked, tmp_path, form):
    pages = []
    for options in ("", "--webgpu"):
        out = tmp_path / f"page{options}"
        run(f"python -m capmodel.browser site {form} --attention softmax {options} --out {out}")
        html = (out if form else out / "index.html").read_text(encoding="utf-8")
        data = re.search(r'<script type="application/json" id="data">(.*?)</script>', html)[1]
        pages.append(json.loads(data)["captioner"])
    plain, webgpu = (page.get("runtime", page) for page in pages)
    assert (plain["webgpu"], webgpu["webgpu"]) == (False, True)
    assert webgpu["binary"]["bytes"] > 1.5 * plain["binary"]["bytes"]


def test_a_folder_that_is_not_empty_is_left_alone(asked, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(SystemExit):
        run(f"python -m capmodel.browser site --out {tmp_path}")
    assert capsys.readouterr().err == f"{tmp_path} is not empty; delete it, or choose another folder with --out.\n"
    assert asked == []
