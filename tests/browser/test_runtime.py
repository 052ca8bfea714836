"""ONNX Runtime Web is found, or fetched by npm once."""

import json
import os
import sys

import pytest

from capmodel.browser import runtime
from capmodel.command_line import UserError

# A stand-in for npm: makes the package that it is asked for, or fails as npm does without a network.
NPM = f"""#!{sys.executable}
import io, json, os, sys, tarfile
with open(os.environ["NPM_LOG"], "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
if os.environ.get("NPM_FAILS"):
    sys.exit("npm error code ENOTFOUND\\nnpm error network request failed")
name, version = sys.argv[2].split("@")
files = {{"package.json": json.dumps({{"version": version}}), "dist/ort.wasm.bundle.min.mjs": "script",
          "dist/ort-wasm-simd-threaded.wasm": "binary", "dist/ort.webgpu.bundle.min.mjs": "script for both",
          "dist/ort-wasm-simd-threaded.asyncify.wasm": "binary for both", "dist/other.js": "x", "../evil": "x"}}
with tarfile.open(f"{{name}}-{{version}}.tgz", "w:gz") as archive:
    for path, text in files.items():
        entry = tarfile.TarInfo(f"package/{{path}}")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text.encode()))
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A checkout without node_modules, an empty cache, and an npm that notes what it is asked."""
    player, programs, log = tmp_path / "player", tmp_path / "programs", tmp_path / "log"
    player.mkdir()
    programs.mkdir()
    (player / "package.json").write_text(json.dumps({"devDependencies": {"onnxruntime-web": "9.8.7"}}))
    (programs / "npm").write_text(NPM)
    (programs / "npm").chmod(0o755)
    monkeypatch.setattr(runtime, "PLAYER", player)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NPM_LOG", str(log))
    return lambda: log.read_text().splitlines() if log.exists() else []


def test_npm_is_asked_once(asked, tmp_path):
    for _ in range(2):
        found = runtime.find_runtime()
        assert (found.script.read_text(), found.binary.read_text()) == ("script", "binary")
        found = runtime.find_runtime(webgpu=True)
        assert (found.script.read_text(), found.binary.read_text()) == ("script for both", "binary for both")
    assert asked() == ["pack onnxruntime-web@9.8.7 --silent"]
    kept = {path.name for path in (tmp_path / "cache" / "capmodel").rglob("*") if path.is_file()}
    assert kept == {"package.json", *map(str, runtime.FILES)}


def test_that_of_developers_is_taken_if_it_has_the_version(asked, tmp_path):
    package = tmp_path / "player" / "node_modules" / "onnxruntime-web"
    (package / "dist").mkdir(parents=True)
    for name in runtime.FILES:
        (package / "dist" / name).write_text("own")
    for version, text in (("9.8.7", "own"), ("9.8.6", "binary")):
        (package / "package.json").write_text(json.dumps({"version": version}))
        assert runtime.find_runtime().binary.read_text() == text


def test_a_package_that_was_left_incomplete_is_fetched_again(asked):
    runtime.find_runtime().binary.unlink()
    assert runtime.find_runtime().binary.read_text() == "binary"
    assert len(asked()) == 2


def test_without_npm_it_says_what_to_install(asked, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"npm fetches once: install Node\.js with npm first\.$"):
        runtime.find_runtime()


def test_without_a_network_it_says_so(asked, monkeypatch):
    monkeypatch.setenv("NPM_FAILS", "1")
    message = r"^npm could not fetch onnxruntime-web 9\.8\.7 \(npm error network request failed\); check the network"
    with pytest.raises(UserError, match=message):
        runtime.find_runtime()
