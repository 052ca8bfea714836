"""ONNX Runtime Web, which computes the graphs in the browser: found here, or fetched by npm once."""

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from capmodel.command_line import UserError
from capmodel.output.player import PLAYER

PACKAGE = "onnxruntime-web"


@dataclass(frozen=True)
class Runtime:
    """ONNX Runtime Web.

    Attributes:
        script: a JavaScript module.
        binary: its WebAssembly.
    """

    script: Path
    binary: Path


PROCESSOR = Runtime(Path("ort.wasm.bundle.min.mjs"), Path("ort-wasm-simd-threaded.wasm"))
WEBGPU = Runtime(Path("ort.webgpu.bundle.min.mjs"), Path("ort-wasm-simd-threaded.asyncify.wasm"))
FILES = (PROCESSOR.script, PROCESSOR.binary, WEBGPU.script, WEBGPU.binary)


def find_runtime(webgpu: bool = False) -> Runtime:
    """It is in the player's ``node_modules``, or in a cache that npm fills.

    Args:
        webgpu: the edition that can also compute on the graphics processor; it is almost twice as large.

    Raises:
        UserError: npm is missing, or could not fetch it.
    """
    version = json.loads((PLAYER / "package.json").read_text(encoding="utf-8"))["devDependencies"][PACKAGE]
    installed = PLAYER / "node_modules" / PACKAGE
    if _version(installed) == version:
        return _edition(installed, webgpu)
    cached = cache_folder(os.environ) / f"{PACKAGE}-{version}"
    if _version(cached) != version:
        _fetch(version, cached)
    return _edition(cached, webgpu)


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where this package keeps what it has fetched."""
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "capmodel"


def _edition(package: Path, webgpu: bool) -> Runtime:
    edition = WEBGPU if webgpu else PROCESSOR
    return Runtime(package / "dist" / edition.script, package / "dist" / edition.binary)


def _version(package: Path) -> str | None:
    """Of a package that is there as a whole."""
    if not all((package / file).is_file() for file in ("package.json", *(Path("dist", name) for name in FILES))):
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
        wanted = {"package/package.json", *(f"package/dist/{name}" for name in FILES)}
        with tarfile.open(archives[0]) as archive:
            members = [member for member in archive if member.name in wanted]
            # As Python's documentation has it for 3.11.0 to 3.11.3, which have no filters.
            archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
            archive.extractall(place, members)
        shutil.rmtree(folder, ignore_errors=True)  # an incomplete one
        (Path(place) / "package").replace(folder)
