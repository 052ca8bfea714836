"""The example photos with their captions, which a page without a server has ready before its captioner is loaded."""

import copy
import hashlib

import torch

from capmodel.browser.weights import rounded_state
from capmodel.captioner import Captioner
from capmodel.output.page_value import example_photos
from capmodel.output.player import player_item
from capmodel.resources import PHOTOS


def captioned_examples(captioner: Captioner, small: bool) -> list[dict]:
    """The samples of `example_photos`, with their captions as ``captioned``. Remarks on other captions are left out.

    Args:
        captioner: in fp32, as the browser computes.
        small: with the captions that weights in 8 bits give.
    """
    samples = example_photos(remarks=True)
    paths = [PHOTOS / sample["file"] for sample in samples]
    if small:
        captioner = _with_small_weights(captioner)
    captioned = []
    for sample, path, caption in zip(samples, paths, captioner(paths), strict=True):
        said = sample if sample["caption"] == caption.text else {**sample, "outcome": None, "remark": None}
        # As the browser names photos that it captions itself: by attention and content, without another hyphen.
        key = f"{captioner.attention_kind}-{hashlib.sha256(path.read_bytes()).hexdigest()[:26]}"
        captioned.append({**said, "caption": caption.text, "captioned": player_item(key, path.name, [caption])})
    return captioned


def _with_small_weights(captioner: Captioner) -> Captioner:
    model = copy.deepcopy(captioner.model)
    with torch.no_grad():
        model.load_state_dict(rounded_state(model))
    return Captioner(model, captioner.tokenizer, precision="fp32")
