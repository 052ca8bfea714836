"""Our captioner against two widely used ones, from the package transformers."""

from collections.abc import Callable

import torch
from torch import nn

from capmodel import Captioner
from capmodel.photo_files import list_photos
from capmodel.resources import PHOTOS
from tests.benchmarks.photos import time_in_turn

TWELVE = 12
TOKENS = 14  # that they write, neither fewer nor more


def measure_peers(rounds: int) -> dict:
    """Seconds a photo of BLIP-base (384 pixels, beam 3) and ViT-GPT2 (224 pixels, beam 4), over ours (beam 5).

    Li et al. (2022), "BLIP"; Dosovitskiy et al. (2021), "An Image Is Worth 16x16 Words", with Radford et al. (2019),
    "Language Models are Unsupervised Multitask Learners". Their weights are random, which makes no difference to
    the speed. Theirs is the network alone, in fp32; ours also reads the file.
    """
    captioner = Captioner.from_pretrained()
    photos = list_photos(PHOTOS)[:TWELVE]
    peers = {"BLIP-base": _blip(), "ViT-GPT2": _vit_gpt2()}
    ways = {"one photo": lambda: captioner(photos[:1]), "one of twelve": lambda: captioner(photos), **peers}
    seconds = time_in_turn(ways, rounds)
    seconds["one of twelve"] /= TWELVE
    ratios = {f"{peer} / {ours}": seconds[peer] / seconds[ours] for peer in peers for ours in seconds.keys() - peers}
    return {"ratios": dict(sorted(ratios.items())), "seconds": seconds}


def _blip() -> Callable[[], object]:
    from transformers import BlipConfig, BlipForConditionalGeneration

    return _writing(BlipForConditionalGeneration(BlipConfig()), side=384, beams=3)


def _vit_gpt2() -> Callable[[], object]:
    from transformers import GPT2Config, VisionEncoderDecoderConfig, VisionEncoderDecoderModel, ViTConfig

    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(ViTConfig(), GPT2Config())
    config.decoder_start_token_id = config.pad_token_id = config.decoder.bos_token_id
    return _writing(VisionEncoderDecoderModel(config=config), side=224, beams=4)


def _writing(model: nn.Module, side: int, beams: int) -> Callable[[], object]:
    model.eval()
    pixels = torch.rand(1, 3, side, side)
    return lambda: model.generate(
        pixel_values=pixels, num_beams=beams, do_sample=False, min_new_tokens=TOKENS, max_new_tokens=TOKENS
    )
