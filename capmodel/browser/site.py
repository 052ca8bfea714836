"""A folder with a page that captions photos in the browser. Any web server can serve it.

::

    index.html          the page
    service-worker.js   lets it open without a network after the first visit
    page/VERSION/       the player's scripts, the example photos
    captioner/VERSION/  what is downloaded before the first caption: graphs, captioner.json, ONNX Runtime Web

VERSION changes with the content, so browsers and servers may keep these files forever.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from capmodel.browser import description, pages
from capmodel.browser.bundle import reachable
from capmodel.browser.runtime import find_runtime
from capmodel.command_line import UserError
from capmodel.output.html_page import html_page
from capmodel.output.page_value import thumbnail
from capmodel.output.player import PLAYER, player_files
from capmodel.resources import PHOTOS

MAIN = "site/served.js"
SERVICE_WORKER = "service-worker.js"
# wasm-unsafe-eval lets it compile WebAssembly; ONNX Runtime starts threads from a blob.
POLICY = (
    "connect-src 'self'; img-src 'self' data: blob:; style-src 'unsafe-inline'; "
    "script-src 'self' blob: 'wasm-unsafe-eval'; worker-src 'self' blob:"
)


def write_site(exported: Path, samples: Sequence[dict], folder: Path, webgpu: bool = False) -> list[Path]:
    """Writes the page into a new folder.

    Args:
        exported: a folder that `capmodel.browser.export.export` wrote.
        samples: from `capmodel.browser.examples.captioned_examples`, of the model that was exported.
        folder: made if it does not exist.
        webgpu: whether photos are encoded on the graphics processor, where the visitor's browser can.

    Returns:
        The files.

    Raises:
        UserError: the folder is not empty, or ONNX Runtime Web could not be had.
    """
    check_empty(folder)
    runtime = find_runtime(webgpu)
    described = description.read(exported)
    parts = _write_captioner([*description.files(exported), runtime.script, runtime.binary], folder / "captioner")
    files = player_files(pages.SCRIPTS)
    page = _write_page(files.scripts, [sample["file"] for sample in samples], folder / "page")
    address, model = (path.relative_to(folder).as_posix() for path in (page, parts))
    samples = pages.with_pictures(
        samples,
        lambda file: f"{address}/photos/{file}",
        lambda file: f"{address}/thumbnails/{Path(file).with_suffix('.webp')}",
    )
    data = {
        "value": pages.value_for(described, samples),
        "captioner": {
            "version": parts.name,
            "model": f"{model}/{description.NAME}",
            "script": f"{model}/{runtime.script.name}",
            "binary": {"file": f"{model}/{runtime.binary.name}", "bytes": runtime.binary.stat().st_size},
            "webgpu": webgpu,
        },
        "worker": SERVICE_WORKER,
    }
    html = html_page(
        files,
        data,
        f'<script type="module" src="{address}/{MAIN}"></script>',
        policy=POLICY,
        paragraphs=pages.paragraphs(described["small"]),
        footer=pages.credits_footer(),
        head="\n".join(
            f'<link rel="modulepreload" href="{address}/{path}">' for path in reachable(files.scripts, MAIN)
        ),
    )
    (folder / "index.html").write_text(html, encoding="utf-8")
    kept = ["./", f"{model}/{runtime.script.name}", *(path.relative_to(folder).as_posix() for path in _files(page))]
    version = hashlib.sha256(html.encode()).hexdigest()[:16]
    worker = {"version": version, "captioner": parts.name, "files": kept}
    text = (PLAYER / "site" / "service_worker.js").read_text(encoding="utf-8")
    (folder / SERVICE_WORKER).write_text(f"self.site = {json.dumps(worker)};\n{text}", encoding="utf-8")
    return _files(folder)


def check_empty(folder: Path) -> None:
    """Raises a `UserError` if a folder holds anything. An old page in it would be served beside the new one."""
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty; delete it, or choose another folder with --out.")


def _write_captioner(files: Sequence[Path], folder: Path) -> Path:
    new = folder / "new"
    new.mkdir(parents=True)
    for file in files:
        shutil.copyfile(file, new / file.name)
    return new.rename(folder / _version(new))


def _write_page(scripts: dict[str, str], photos: Sequence[str], folder: Path) -> Path:
    new = folder / "new"
    for path in {*reachable(scripts, MAIN), *reachable(scripts, pages.WORKER)}:
        (new / path).parent.mkdir(parents=True, exist_ok=True)
        (new / path).write_text(scripts[path], encoding="utf-8")
    for name in ("photos", "thumbnails"):
        (new / name).mkdir()
    shutil.copyfile(PHOTOS / "CREDITS.md", new / "photos" / "CREDITS.md")
    for photo in photos:
        shutil.copyfile(PHOTOS / photo, new / "photos" / photo)
        thumbnail(PHOTOS / photo).save((new / "thumbnails" / photo).with_suffix(".webp"))
    return new.rename(folder / _version(new))


def _version(folder: Path) -> str:
    """Changes with the content of a folder."""
    found = hashlib.sha256()
    for file in _files(folder):
        found.update(file.relative_to(folder).as_posix().encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()[:16]


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())
