"""Models from the Hugging Face Hub, through its own client, from a stand-in on this machine."""

import os
import subprocess
import sys

import pytest
from conftest import PHOTOS
from hub import serve_hub


@pytest.fixture
def endpoint(tiny_captioner, tmp_path):
    tiny_captioner.save(tmp_path / "model")
    with serve_hub("someone/captioner", tmp_path / "model") as address:
        yield address


def caption(model, endpoint, cache, photo):
    # In a process of its own: the client reads its settings when it is imported.
    settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    return subprocess.run(
        [sys.executable, "-m", "capmodel", "--model", model, photo],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **settings},
    )


def test_a_hub_model_says_what_the_saved_one_says(endpoint, tmp_path, tiny_captioner):
    photo = PHOTOS / "soccer-players.jpg"
    done = caption("someone/captioner", endpoint, tmp_path / "cache", photo)
    assert done.returncode == 0, done.stderr
    again = caption(str(tmp_path / "model"), endpoint, tmp_path / "cache", photo)
    assert done.stdout == again.stdout != ""


def test_an_unknown_hub_model_is_explained(endpoint, tmp_path):
    done = caption("someone/else", endpoint, tmp_path / "cache", PHOTOS / "soccer-players.jpg")
    assert done.returncode == 2
    assert "There is no model 'someone/else'" in done.stderr
    assert "Traceback" not in done.stderr
