"""What several test files share: a tiny random model and its tokenizer, the bundled models, and a page with them."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from support.require import require
from support.samples import CAPTIONS

from capmodel.captioner import Captioner
from capmodel.decoding.tokenizer import Tokenizer
from capmodel.model.caption_model import TOKENIZER, CaptionModel, ModelConfig
from train.data.tokenizer import train_tokenizer

# The longest files, which begin first: with `pytest -n 3` one worker would have them left in the end.
LONGEST = ("test_scripts.py", "test_bulk.py", "test_load.py", "test_soak.py", "test_safety.py", "test_training.py")


def pytest_configure(config: pytest.Config) -> None:
    # Workers share the cores: with more threads each they would wait for each other most of the time.
    if config.getoption("numprocesses", None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # which they inherit, and the processes that tests start
    # What visitors bring lies in a folder for each worker. Gradio reads this when it is imported.
    os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="capmodel-tests-")


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


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


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For what the workers of ``pytest -n 3`` make once together."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def exported_models(captioners: list[Captioner], shared_folder: Path) -> Path:
    """The same as ONNX graphs. It takes half a minute, so the workers of ``pytest -n 3`` share them."""
    from capmodel.browser.export import export  # imported here: it needs the packages of capmodel[browser]

    folder = shared_folder / "exported"
    with FileLock(f"{folder}.lock"):
        if not (folder / "captioner.json").exists():  # which is written last
            export("softmax", captioners, folder)
    return folder


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A stand-in for the Hugging Face Hub, which its client asks instead."""
    from support.servers.hub import point_at, serve_hub

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
    from support.servers.here import serve_here

    with serve_here(captioners) as address:
        yield address


@pytest.fixture(scope="session")
def visitor(browser):
    """Someone who prefers reduced motion: nothing moves by itself."""
    from support.web import open_context

    with open_context(browser, reduced_motion="reduce") as visitor:
        yield visitor


@pytest.fixture(scope="session")
def tab(visitor):
    """The visitor's tab."""
    return visitor.new_page()


@pytest.fixture
def page(tab, address):
    """The page, freshly opened, as if for the first time."""
    from support.web import visit_again

    with visit_again(tab, address) as page:
        yield page
