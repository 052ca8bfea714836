"""Captioning from files to words and maps, against the backbone's plain forward pass."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch

from capmodel import Captioner
from capmodel.decoding.alternatives import word_alternatives
from capmodel.decoding.beam_search import DecodeOptions, beam_search
from capmodel.model.backbone import GridEncoder
from capmodel.model.fast_encoder import has_bfloat16
from capmodel.photos.folders import list_photos
from capmodel.resources import PHOTOS

COUNTS = {"one photo": 1, "twelve photos": 12}


def measure_photos(rounds: int) -> dict:
    """Captioning of example photos, warm, beam 5, over the plain forward pass of as many photos.

    First without other words, as on the command line and on the page; then with them, as by default in Python.

    The plain pass is that of the network as timm makes it: fp32, eager, default memory format.

    Returns:
        "ratios", "seconds", the seconds of each of the "parts" of captioning twelve photos, and the pairs of
        captions that are other ones in bf16 than in fp32, of all example photos.
    """
    photos = list_photos(PHOTOS)
    captioners = {each: Captioner.from_pretrained(precision=each) for each in _precisions()}
    plain = plain_encoder(captioners["fp32"])
    ratios, seconds = {}, {}
    for name, count in COUNTS.items():
        some = photos[:count]
        pixels = to_pixels([captioners["fp32"].load_square(photo) for photo in some])
        ways = {"plain forward": lambda pixels=pixels: plain(pixels)}
        for precision, captioner in captioners.items():
            ways[precision] = lambda captioner=captioner, some=some: captioner(some, alternatives=0)
            ways[f"{precision}, with other words"] = lambda captioner=captioner, some=some: captioner(some)
        times = time_in_turn(ways, rounds)
        for way, value in times.items():
            seconds[f"{name}, {way}"] = value
            if way != "plain forward":
                ratios[f"{name}, {way} / plain forward"] = value / times["plain forward"]
    written = [[caption.text for caption in captioner(photos)] for captioner in captioners.values()]
    return {
        "ratios": ratios,
        "seconds": seconds,
        "parts": {each: measure_parts(captioners[each], photos[: max(COUNTS.values())], rounds) for each in captioners},
        "other_captions": [pair for pair in zip(*written, strict=True) if len(set(pair)) > 1],
        "photos": len(photos),
    }


def measure_parts(captioner: Captioner, photos: list[Path], rounds: int) -> dict[str, float]:
    """Where the time goes: the seconds of each part of captioning, one after the other."""
    decoder, options, lexicon = captioner.decoder, DecodeOptions(), captioner.lexicon
    squares = [captioner.load_square(photo) for photo in photos]
    grid = captioner.encode(squares)
    with torch.inference_mode():
        memory = decoder.prepare(grid)
        found = beam_search(decoder, memory, options, lexicon=lexicon)
        tokenizer, count = captioner.tokenizer, options.alternatives
        return time_in_turn(
            {
                "load, in one thread": lambda: [captioner.load_square(photo) for photo in photos],
                "backbone": lambda: captioner.encode(squares),
                "keys and gates": lambda: decoder.prepare(grid),
                "beam search": lambda: beam_search(decoder, memory, DecodeOptions(alternatives=0), lexicon=lexicon),
                "alternatives": lambda: word_alternatives(decoder, tokenizer, memory, found, count),
            },
            rounds,
        )


def measure_attentions(rounds: int) -> dict:
    """The time from the grids of the example photos to their captions, beam 5, over that of the first attention.

    Without other words: how long these take depends on how many pieces the words are made of.
    """
    captioners = Captioner.family()
    grids = captioners[0].encode([captioners[0].load_square(photo) for photo in list_photos(PHOTOS)])
    options = DecodeOptions(alternatives=0)
    times = time_in_turn(
        {each.attention_kind: lambda each=each: each.describe(grids, options) for each in captioners}, rounds
    )
    first = captioners[0].attention_kind
    return {"ratios": {f"{name} / {first}": value / times[first] for name, value in times.items() if name != first}}


def time_in_turn(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median seconds of each, in rounds that do all of them: what slows a round slows all; the first warms up."""
    times = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - began)
    return {name: median(seconds[1:]) for name, seconds in times.items()}


def plain_encoder(captioner: Captioner) -> Callable[[torch.Tensor], torch.Tensor]:
    """A model's backbone in the default memory format, without gradients."""
    ours = captioner.model.encoder
    encoder = GridEncoder(ours.name, image_size=ours.image_size).eval()
    encoder.load_state_dict(ours.state_dict())
    return torch.no_grad()(encoder)


def to_pixels(squares: list[np.ndarray]) -> torch.Tensor:
    """Squares (S, S, 3) -> pixels (B, 3, S, S) in the default memory format."""
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).contiguous()


def _precisions() -> list[str]:
    return ["fp32", "bf16"] if has_bfloat16() else ["fp32"]
