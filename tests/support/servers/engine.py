"""A minimal page with the captioner in the browser, and what its engine answers as Python's own types."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page
from support.require import require
from support.samples import PHOTOS
from support.servers.folder import Handler, serve

from capmodel.browser.runtime import PACKAGE, PROCESSOR, WEBGPU
from capmodel.output.player import PLAYER

RUNTIME = PLAYER / "node_modules" / PACKAGE / "dist"

PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module">
import { BrowserEngine } from './player/engines/browser.js';
import { ServedParts } from './player/engines/browser/served_parts.js';
const binary = { file: 'runtime/%s', bytes: %d };
const parts = new ServedParts({ model: 'model/captioner.json', script: 'runtime/%s', binary, webgpu: %s });
window.told = [];
window.engine = new BrowserEngine(parts);
engine.watchLoading(progress => progress && told.push(progress), new AbortController().signal);
window.sampleOf = file => ({ sample: { file, image: { url: 'photos/' + file } } });
window.itemOf = async (source, attention) => {
    const { key, captions, side, preview } = await engine.caption(source, attention);
    return { key, captions, side, preview, source, attention, steered: [], withAttention: {}, name: 'x', url: '' };
};
</script>"""


class _Handler(Handler):
    extensions_map = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}  # noqa: RUF012

    def __init__(self, *arguments, model: Path, isolated: bool, webgpu: bool):
        self.webgpu = webgpu
        self.folders = {"player": PLAYER, "runtime": RUNTIME, "model": model, "photos": PHOTOS}
        super().__init__(*arguments, isolated=isolated)

    def translate_path(self, path: str) -> str:
        folder, _, rest = path.lstrip("/").partition("/")
        return str(self.folders[folder] / rest) if folder in self.folders else "/nowhere"

    def do_GET(self) -> None:
        if self.path != "/":
            return super().do_GET()
        edition = WEBGPU if self.webgpu else PROCESSOR
        size = (RUNTIME / edition.binary).stat().st_size
        page = (PAGE % (edition.binary, size, edition.script, json.dumps(self.webgpu))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(page)
        return None


@contextmanager
def serve_engine(model: Path, isolated: bool = False, webgpu: bool = False) -> Iterator[str]:
    """The address of a page whose `engine` runs an exported model; `isolated`: with threads; `webgpu`: on the GPU."""
    require(RUNTIME.is_dir(), "The engine in the browser needs ONNX Runtime Web: npm ci in assets/player.")
    with serve(_Handler, model=model, isolated=isolated, webgpu=webgpu) as address:
        yield address


@contextmanager
def open_engine(browser: Browser, address: str) -> Iterator[Page]:
    """The page, with `engine`, `sampleOf(file)` and `itemOf(source, attention)`; nothing may go wrong in it."""
    page = browser.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: message.type == "error" and problems.append(message.text))
    page.goto(address)
    page.wait_for_function("window.engine")
    yield page
    page.close()
    assert problems == [], problems


def maps(packed: str, words: int) -> np.ndarray:
    """(words, L)"""
    return np.frombuffer(base64.b64decode(packed), "<f4").reshape(words, -1)


def assert_caption(found: dict, expected, others: bool = True) -> None:
    """That a caption of the player is one of Python: its words, maps and probabilities, and its other words."""
    assert [word["text"] for word in found["words"]] == [word.text for word in expected.words]
    weights = np.stack([word.weights.ravel() for word in expected.words])
    np.testing.assert_allclose(maps(found["weights"], len(expected.words)), weights, atol=1e-4)
    assert abs(found["score"] - expected.score) < 2e-4
    for one, other in zip(found["words"], expected.words, strict=True):
        assert abs(one["probability"] - other.probability) < 1.5e-4
        if not others:  # they are found when somebody asks
            assert "alternatives" not in one
            continue
        assert [text for text, _ in one["alternatives"]] == [text for text, _ in other.alternatives]
        shares = [[share for _, share in each] for each in (one["alternatives"], other.alternatives)]
        np.testing.assert_allclose(*shares, atol=1.5e-4)


def ask(page: Page, body: str, **values):
    """What an async function of these values answers."""
    names = ", ".join(values)
    return page.evaluate(f"async ({{{names}}}) => {{ {body} }}", json.loads(json.dumps(values)))
