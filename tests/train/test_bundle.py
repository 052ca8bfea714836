"""Models that share a backbone are kept beside each other, without a second copy of it."""

from dataclasses import replace

import pytest
import torch
from support.samples import PHOTOS

from capmodel import Captioner, CaptionModel, DecodeOptions
from train.release import bundle

PHOTO = sorted(PHOTOS.glob("*.jpg"))[:1]


@pytest.fixture
def sparse(tiny_captioner) -> Captioner:
    """Another decoder with other attention, over the same backbone."""
    torch.manual_seed(1)
    model = CaptionModel(replace(tiny_captioner.model.config, normalizer="sparsemax"))
    model.encoder.load_state_dict(tiny_captioner.model.encoder.state_dict())
    return Captioner(model, tiny_captioner.tokenizer)


def run(captioner: Captioner, tmp_path, out="models/sparse"):
    captioner.save_pretrained(tmp_path / "trained")
    bundle.main(["--model", f"{tmp_path}/trained", "--base", f"{tmp_path}/models/base", "--out", f"{tmp_path / out}"])


def test_a_bundled_model_is_the_same_and_smaller(tiny_captioner, sparse, tmp_path):
    tiny_captioner.save_pretrained(tmp_path / "models" / "base")
    run(sparse, tmp_path)
    options = DecodeOptions(max_tokens=8)
    found = Captioner.from_pretrained(tmp_path / "models" / "sparse")(PHOTO, options)[0]
    assert found.as_dict() == Captioner.from_pretrained(tmp_path / "trained")(PHOTO, options)[0].as_dict()
    small, whole = (tmp_path / name / "model.safetensors" for name in ("models/sparse", "trained"))
    assert small.stat().st_size < whole.stat().st_size / 2
    assert [each.attention_kind for each in Captioner.family(tmp_path / "models" / "base")] == ["softmax", "sparsemax"]


def test_another_backbone_is_refused(tiny_captioner, sparse, tmp_path):
    tiny_captioner.save_pretrained(tmp_path / "models" / "base")
    with torch.no_grad():
        next(sparse.model.encoder.parameters()).add_(0.1)
    with pytest.raises(SystemExit, match="another backbone"):
        run(sparse, tmp_path)


def test_it_lies_beside_its_base(tiny_captioner, sparse, tmp_path):
    tiny_captioner.save_pretrained(tmp_path / "models" / "base")
    with pytest.raises(SystemExit, match="beside"):
        run(sparse, tmp_path, "elsewhere/sparse")
