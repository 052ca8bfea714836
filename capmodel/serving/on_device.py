"""The captioner for visitors' own browsers, as the page's server hands it out: a few files that never change."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from capmodel.browser import description
from capmodel.browser.runtime import BINARY, SCRIPT, find_runtime
from capmodel.command_line import UserError

MEDIA_TYPES = {".json": "application/json", ".mjs": "text/javascript", ".wasm": "application/wasm"}
OTHER = "application/octet-stream"


@dataclass(frozen=True)
class OnDevice:
    """An exported model, and ONNX Runtime Web.

    Attributes:
        files: by name.
        version: changes with their content.
    """

    files: dict[str, Path]
    version: str

    @classmethod
    def read(cls, folder: Path, model: str) -> "OnDevice":
        """Finds the files.

        Args:
            folder: what ``python -m capmodel.browser export`` wrote.
            model: the one of the page: its name, or its folder.

        Raises:
            UserError: it is no such folder, or of another model, or ONNX Runtime Web could not be had.
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
        if missing := [name for name, path in files.items() if not path.is_file()]:
            raise UserError(f"{folder} lacks {missing[0]}; write it again with `{export}`.")
        files |= find_runtime()
        return cls(files, _version(files))

    def places(self, address: str) -> dict:
        """Where `assets/player/engines/browser/served_parts.js` finds them.

        Args:
            address: of the files' folder, relative to the page.
        """
        return {
            "model": f"{address}/{description.NAME}",
            "script": f"{address}/{SCRIPT}",
            "binary": {"file": f"{address}/{BINARY}", "bytes": self.files[BINARY].stat().st_size},
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
