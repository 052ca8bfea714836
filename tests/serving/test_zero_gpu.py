"""On a Space with ZeroGPU all that computes goes through `spaces.GPU`; elsewhere that package is not imported."""

import multiprocessing
import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.asynchronous import result_of
from support.samples import PHOTOS, ROOT

from capmodel.serving import zero_gpu
from capmodel.serving.service import CaptionService
from capmodel.serving.storage.store import PhotoStore


@pytest.fixture
def spaces(monkeypatch):
    """A stand-in for the package: as there, marked functions run in a fork, and what they get is pickled."""
    calls = []
    fork = multiprocessing.get_context("fork")

    def mark(function, duration):
        def marked(*arguments):
            calls.append(arguments[0].__name__)
            sent, (results, write) = pickle.dumps(arguments), fork.Pipe(duplex=False)

            def work():
                torch.set_num_threads(1)  # a fork does not have the threads that computed here
                write.send(function(*pickle.loads(sent)))

            child = fork.Process(target=work)
            child.start()
            assert results.poll(60)
            result = results.recv()
            child.join()
            return result

        return marked

    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=mark))
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setattr(zero_gpu, "DEVICE", "cpu")
    return calls


@pytest.fixture
def ask(server):
    """Asks a new service all that needs the model."""

    def ask_all(captioner):
        service = CaptionService([captioner], PhotoStore(server))
        photo = service.store.add_file(min(PHOTOS.glob("*.jpg")))

        async def questions():
            return (
                await service.caption(photo, "softmax"),
                await service.candidates(photo, "softmax"),
                await service.steer(photo, "softmax", ["a"]),
                await service.occlude(photo, "softmax", ["a", "dog"], 1, [0]),
            )

        try:
            return result_of(questions())
        finally:
            service.close()

    return ask_all


def test_everything_is_computed_where_the_gpu_is(spaces, ask, tiny_captioner):
    lent = ask(tiny_captioner)
    assert spaces == ["describe", "describe", "describe", "occlude"]

    spaces.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SPACES_ZERO_GPU")
        own = ask(tiny_captioner)
    assert not spaces
    assert lent[0].as_dict() == own[0].as_dict()
    assert [each.text for each in lent[1]] == [each.text for each in own[1]]
    assert lent[2].text == own[2].text
    np.testing.assert_allclose(lent[3].after, own[3].after)


def test_elsewhere_the_package_is_not_imported(tmp_path):
    code = (
        "import sys; from capmodel import Captioner; from capmodel.serving.storage.folders import ServerFolder; "
        "from capmodel.serving.service import CaptionService; from capmodel.serving.storage.store import PhotoStore; "
        f"CaptionService([Captioner.from_pretrained()], PhotoStore(ServerFolder({str(tmp_path)!r}))).close(); "
        "print('spaces' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
