"""One HTML file that captions photos in the browser, wherever it is opened from: a web server, a folder, a USB stick."""

import base64
import gzip
import io
from collections.abc import Sequence
from pathlib import Path

from capmodel.browser import description, pages
from capmodel.browser.bundle import bundle, reachable
from capmodel.browser.runtime import find_runtime
from capmodel.output.html_page import html_page
from capmodel.output.offline_page import bare, map_imports
from capmodel.output.page_value import thumbnail
from capmodel.output.player import player_files
from capmodel.resources import PHOTOS

MAIN = "site/single.js"
POLICY = (
    "connect-src data:; img-src data: blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' data: blob: 'wasm-unsafe-eval'; worker-src blob:"
)


def write_single(exported: Path, samples: Sequence[dict], path: Path, webgpu: bool = False) -> Path:
    """Writes the page with everything in it.

    Args:
        exported, samples, webgpu: as for `capmodel.browser.site.write_site`. Each kind of attention but the first adds a third.
        path: of the file.

    Raises:
        UserError: ONNX Runtime Web could not be had.
    """
    runtime = find_runtime(webgpu)
    described = description.read(exported)
    graphs = [file for file in description.files(exported) if file.name != description.NAME]
    parts = {file.name: file.read_bytes() for file in [*graphs, runtime.script, runtime.binary]}
    files = player_files(pages.SCRIPTS)
    scripts = files.scripts
    script, binary = ({"file": file.name, "bytes": len(parts[file.name])} for file in (runtime.script, runtime.binary))
    samples = pages.with_pictures(
        samples,
        lambda file: _data_url("image/jpeg", (PHOTOS / file).read_bytes()),
        lambda file: _data_url("image/webp", _thumbnail(file)),
    )
    data = {
        "value": pages.value_for(described, samples),
        "captioner": {
            "exported": described,
            "runtime": {"script": script, "binary": binary, "webgpu": webgpu},
            "worker": bundle(scripts, pages.WORKER),
        },
    }
    elements = [
        map_imports({module: scripts[module] for module in reachable(scripts, MAIN)}),
        f'<script type="module">import "{bare(MAIN)}";</script>',
        *(f'<script type="text/plain" data-file="{name}">{_packed(part)}</script>' for name, part in parts.items()),
    ]
    html = html_page(
        files,
        data,
        "\n".join(elements),
        policy=POLICY,
        paragraphs=pages.paragraphs(described["small"]),
        footer=pages.credits_footer(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html, encoding="utf-8")
    return path


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def _thumbnail(photo: str) -> bytes:
    file = io.BytesIO()
    thumbnail(PHOTOS / photo).save(file, "WEBP")
    return file.getvalue()


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
