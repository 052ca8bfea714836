"""The captioner for visitors' own browsers, as the page's server hands it out: a few files that never change."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from capmodel.browser import description
from capmodel.browser.runtime import Runtime, find_runtime
from capmodel.captioner import Captioner
from capmodel.command_line import UserError

MEDIA_TYPES = {".json": "application/json", ".mjs": "text/javascript", ".wasm": "application/wasm"}
OTHER = "application/octet-stream"


@dataclass(frozen=True)
class OnDevice:
    """An exported model, and ONNX Runtime Web.

    Attributes:
        files: by name.
        runtime: two of them.
        version: changes with their content.
    """

    files: dict[str, Path]
    runtime: Runtime
    version: str

    @classmethod
    def read(cls, folder: Path, model: str, captioners: Sequence[Captioner]) -> "OnDevice":
        """Finds the files.

        Args:
            folder: what ``python -m capmodel.browser export`` wrote.
            model: the one of the page: its name, or its folder.
            captioners: the page's.

        Raises:
            UserError: it is no such folder, or of another model or of other weights, or ONNX Runtime Web could not be had.
        """
        export = f"python -m capmodel.browser export --model {model} --out {folder}"
        try:
            described = description.read(folder)
            there, rules = described["model"], described["decoding"]
            files = {path.name: path for path in description.files(folder)}
        except (OSError, json.JSONDecodeError, KeyError) as error:
            raise UserError(f"{folder} holds no captioner for browsers; write one with `{export}`.") from error
        if there != Path(model).name:
            raise UserError(f"{folder} holds {there}, but the page runs {model}; write that with `{export}`.")
        if rules != description.decoding():
            raise UserError(f"{folder} is from another version of capmodel; write it again with `{export}`.")
        there, here = described.get("weights", {}), description.fingerprints(captioners)
        if any(there.get(part) != here.get(part) for part in ("encoder", *described["kinds"])):
            raise UserError(f"{folder} holds other weights than the page; write it again with `{export}`.")
        if missing := [name for name, path in files.items() if not path.is_file()]:
            raise UserError(f"{folder} lacks {missing[0]}; write it again with `{export}`.")
        runtime = find_runtime()
        files |= {path.name: path for path in (runtime.script, runtime.binary)}
        return cls(files, runtime, _version(files))

    def places(self, address: str) -> dict:
        """Where `assets/player/engines/browser/served_parts.js` finds them.

        Args:
            address: of the files' folder, relative to the page.
        """
        return {
            "model": f"{address}/{description.NAME}",
            "script": f"{address}/{self.runtime.script.name}",
            "binary": {"file": f"{address}/{self.runtime.binary.name}", "bytes": self.runtime.binary.stat().st_size},
            "webgpu": False,
            "cache": f"capmodel on this device {self.version}",
        }

    def media_type(self, name: str) -> str:
        return MEDIA_TYPES.get(Path(name).suffix, OTHER)


def _version(files: dict[str, Path]) -> str:
    found = hashlib.sha256()
    for name, path in sorted(files.items()):
        with path.open("rb") as file:
            found.update(name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()[:16]
