"""The engine on the graphics processor, as far as Chromium's own software stands in for one."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, ConsoleMessage
from support.chromium import launch
from support.samples import PHOTOS
from support.servers.engine import ask, maps, open_engine, serve_engine

from capmodel.browser.export import export
from capmodel.captioner import Captioner
from capmodel.decoding.tokenizer import Tokenizer
from capmodel.model.caption_model import CaptionModel

DOG = PHOTOS / "dachshund-in-snow.jpg"
# Without --disable-gpu, which other tests have: it takes WebGPU away.
SOFTWARE = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"]


@pytest.fixture
def captioner(tiny_model: CaptionModel, tokenizer: Tokenizer) -> Captioner:
    tiny_model.decoder.embedding.weight.data *= 4  # surer of its words, so that rounding decides none
    return Captioner(tiny_model, tokenizer, precision="fp32")


@pytest.fixture
def exported(captioner: Captioner, tmp_path: Path) -> Path:
    export("tiny", [captioner], tmp_path)
    return tmp_path


@pytest.mark.parametrize(("arguments", "device"), [(SOFTWARE, "graphics processor"), ([], "processor, since WebGPU")])
def test_captions_are_pytorchs_with_it_and_where_there_is_none(
    captioner: Captioner, exported: Path, browser: Browser, arguments: list[str], device: str
):
    told: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        told.append(message.text)

    another = launch(browser.browser_type, *arguments, without=["--disable-gpu"] if arguments else [])
    with closing(another), serve_engine(exported, webgpu=True) as address, open_engine(another, address) as page:
        page.on("console", hear)
        found = ask(page, "return engine.caption(sampleOf(file), '')", file=DOG.name)
    caption = found["captions"][0]
    expected = captioner(DOG).words
    assert [word["text"] for word in caption["words"]] == [word.text for word in expected]
    weights = np.stack([word.weights.ravel() for word in expected])
    np.testing.assert_allclose(maps(caption["weights"], len(expected)), weights, atol=1e-4)
    assert [text for text in told if text.startswith(f"Photos are encoded on the {device}")]
