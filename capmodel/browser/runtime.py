"""ONNX Runtime Web, which computes the graphs in the browser: found here, or fetched by npm once."""

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from capmodel.command_line import UserError
from capmodel.output.player import PLAYER

PACKAGE = "onnxruntime-web"
SCRIPT, BINARY = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"


def find_runtime() -> dict[str, Path]:
    """Its script and its WebAssembly, by their names: those of the player's developers, or of a cache that npm fills.

    Raises:
        UserError: npm is missing, or could not fetch it.
    """
    version = json.loads((PLAYER / "package.json").read_text(encoding="utf-8"))["devDependencies"][PACKAGE]
    installed = PLAYER / "node_modules" / PACKAGE
    if _version(installed) == version:
        return _files(installed)
    cached = cache_folder(os.environ) / f"{PACKAGE}-{version}"
    if _version(cached) != version:
        _fetch(version, cached)
    return _files(cached)


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where this package keeps what it has fetched."""
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "capmodel"


def _files(package: Path) -> dict[str, Path]:
    return {name: package / "dist" / name for name in (SCRIPT, BINARY)}


def _version(package: Path) -> str | None:
    """Of a package that is there as a whole."""
    if not all(file.is_file() for file in (package / "package.json", *_files(package).values())):
        return None
    return json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]


def _fetch(version: str, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(f"The page needs {PACKAGE} {version}, which npm fetches once: install Node.js with npm first.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as place:
        done = subprocess.run(
            [npm, "pack", f"{PACKAGE}@{version}", "--silent"], cwd=place, capture_output=True, text=True
        )
        archives = list(Path(place).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
            raise UserError(f"npm could not fetch {PACKAGE} {version} ({reason}); check the network and try again.")
        wanted = {"package/package.json", *(f"package/dist/{name}" for name in (SCRIPT, BINARY))}
        with tarfile.open(archives[0]) as archive:
            members = [member for member in archive if member.name in wanted]
            archive.extractall(place, members, filter="data")
        shutil.rmtree(folder, ignore_errors=True)  # an incomplete one
        (Path(place) / "package").replace(folder)
