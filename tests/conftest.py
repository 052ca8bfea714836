"""What several test files share: a tiny random model and its tokenizer."""

import shutil

import pytest
import torch
from support.require import require
from support.samples import CAPTIONS

from capmodel.captioner import Captioner
from capmodel.decoding.tokenizer import Tokenizer
from capmodel.model.caption_model import TOKENIZER, CaptionModel, ModelConfig
from train.data.tokenizer import train_tokenizer


@pytest.fixture(scope="session")
def java() -> None:
    require(shutil.which("java") is not None, "The caption metrics run on Java: apt install default-jre-headless.")


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return train_tokenizer(CAPTIONS, tmp_path_factory.mktemp("tokenizer") / TOKENIZER, 120)


@pytest.fixture
def tiny_model(tokenizer: Tokenizer) -> CaptionModel:
    """Random weights over timm's smallest ResNet. Its own seed, so that no test depends on another."""
    torch.manual_seed(0)
    config = ModelConfig(
        backbone="test_resnet", image_size=64, vocabulary=len(tokenizer), hidden=16, attention_size=8, dropout=0.0
    )
    return CaptionModel(config).eval()


@pytest.fixture
def tiny_captioner(tiny_model: CaptionModel, tokenizer: Tokenizer) -> Captioner:
    return Captioner(tiny_model, tokenizer)


@pytest.fixture(scope="session")
def captioners() -> list[Captioner]:
    """The bundled models, which share a backbone: softmax, sparsemax and hard attention. In fp32, as the page."""
    return Captioner.family(precision="fp32")


@pytest.fixture(scope="session")
def captioner(captioners: list[Captioner]) -> Captioner:
    """The one that everything uses unless told otherwise."""
    return captioners[0]


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A stand-in for the Hugging Face Hub, which its client asks instead."""
    from support.hub import point_at, serve_hub

    with serve_hub() as hub:
        point_at(hub.address, tmp_path / "home", monkeypatch)
        yield hub


@pytest.fixture(scope="session")
def browser():
    from support.web import start_browser

    with start_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def address(captioners: list[Captioner]):
    """Of the page, with the bundled models."""
    from app import build_app

    app, launch = build_app(captioners)
    _, address, _ = app.launch(**launch, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    yield address
    app.close()


@pytest.fixture
def page(browser, address):
    """The page, freshly opened, by someone who prefers reduced motion: nothing moves by itself."""
    from support.web import open_page

    with open_page(browser, address, reduced_motion="reduce") as page:
        yield page
