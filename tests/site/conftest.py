"""The pages that caption without a server, with the bundled models, made once."""

import json
from pathlib import Path

import pytest
from filelock import FileLock
from support.require import require
from support.servers.engine import RUNTIME
from support.servers.folder import serve_folder

from capmodel.browser import description
from capmodel.browser.examples import captioned_examples
from capmodel.browser.single import write_single
from capmodel.browser.site import write_site
from capmodel.captioner import Captioner


@pytest.fixture(scope="session")
def samples(captioner: Captioner, shared_folder: Path) -> list[dict]:
    require(RUNTIME.is_dir(), "The pages without a server need ONNX Runtime Web: npm ci in assets/player.")
    file = shared_folder / "samples.json"
    with FileLock(f"{file}.lock"):
        if not file.exists():
            file.write_text(json.dumps(captioned_examples(captioner, small=False)), encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def site(exported_models: Path, samples: list[dict], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_site(exported_models, samples, folder)
    return folder


@pytest.fixture(scope="session")
def single(exported_models: Path, samples: list[dict], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With one kind of attention."""
    folder = tmp_path_factory.mktemp("single")
    for file in exported_models.glob("*.onnx"):
        (folder / file.name).symlink_to(file)
    described = description.read(exported_models)
    described["kinds"] = {"softmax": described["kinds"]["softmax"]}
    (folder / description.NAME).write_text(json.dumps(described), encoding="utf-8")
    return write_single(folder, samples, folder / "captioner.html")


@pytest.fixture(scope="session")
def site_address(site: Path):
    with serve_folder(site) as address:
        yield address
