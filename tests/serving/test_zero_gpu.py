"""On a Space with ZeroGPU all that computes goes through `spaces.GPU`; elsewhere that package is not imported."""

import multiprocessing
import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.samples import PHOTOS, ROOT

from capmodel.serving import zero_gpu
from capmodel.serving.album import Album


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


def test_everything_is_computed_where_the_gpu_is(spaces, tiny_captioner):
    data = min(PHOTOS.glob("*.jpg")).read_bytes()
    lent = Album([tiny_captioner])
    key = lent.add(data)
    found = lent.caption(key), lent.candidates(key), lent.steer(key, ["a"]), lent.probe(key, ["a", "dog"], 1, [0])
    assert spaces == ["_describe", "_describe", "_describe", "_probe"]

    spaces.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SPACES_ZERO_GPU")
        own = Album([tiny_captioner])
    key = own.add(data)
    caption, candidates, steered, probe = (
        own.caption(key), own.candidates(key), own.steer(key, ["a"]), own.probe(key, ["a", "dog"], 1, [0])
    )  # fmt: skip
    assert not spaces
    assert found[0].as_dict() == caption.as_dict()
    assert [each.text for each in found[1]] == [each.text for each in candidates]
    assert found[2].text == steered.text
    np.testing.assert_allclose(found[3].after, probe.after)


def test_elsewhere_the_package_is_not_imported():
    code = (
        "import sys; from capmodel.serving.album import Album; from capmodel import Captioner; "
        "Album([Captioner.from_pretrained()]); print('spaces' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
