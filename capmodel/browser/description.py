"""``captioner.json``: what a player needs to caption with the graphs beside it.

======================  ===============================================================================================
field                   content
======================  ===============================================================================================
``format``              1; grows when a field changes its meaning
``model``               the model's name
``files``               the path of each graph, relative to this file, and its bytes: ``{"encoder": {"file", "bytes"}}``
``kinds``               by the name of each kind of attention, the usual one first, its graphs as in ``files``:
                        ``{"softmax": {"prepare": {...}, "step": {...}}}``
``weights``             a hash of the weights of ``encoder`` and of each kind's decoder, by name: of the model, not of the graphs
``small``               whether weights have 8 bits; captions then differ from the published model's
``sizes``               ``image`` (S, pixels), ``side`` (cells along a side; L = side ** 2), ``channels`` (D), ``hidden`` (H),
                        ``attention`` (A), ``vocabulary`` (V)
``interpolation``       how photos are resized to S x S, such as ``"bicubic"``; `capmodel.photos.load_square` says exactly
``decoding``            the fields of `DecodeOptions`, with their defaults, and ``most_beams``
``tokens``              ids of ``pad``, ``unknown``, ``start`` and ``end``
``pieces``              the text of each token; one that begins a word begins with ``"▁"``, if it is no special token
``scores``              how early each piece is merged: the greatest first
``normalization``       how words are brought into the form that the model knows; see below
``constants``           the constants with which the player draws captions (`player_constants`)
======================  ===============================================================================================

Words -> tokens, as `Tokenizer.encode` does: lower case; the space before each ``remove_space_before`` goes; the matches of
the regular expression ``word`` (JavaScript, with the flags ``gu``) are the words; each is normalized to the Unicode form
``form``. Then, for each word, with ``"▁"`` before it: begin with its characters as symbols, and merge the two neighbours
whose union is a piece with the greatest score, the leftmost of equals, until there are none. Symbols that are no piece
are unknown, and several in a row count as one.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from torch import nn

from capmodel.captioner import Captioner
from capmodel.decoding.options import MOST_BEAMS, DecodeOptions
from capmodel.decoding.tokenizer import END, PAD, START, UNKNOWN
from capmodel.output.player import player_constants

FORMAT = 1
NAME = "captioner.json"
# `normalize_caption` and what sentencepiece does afterwards. Python's \w is JavaScript's [\p{L}\p{N}_].
NORMALIZATION = {"remove_space_before": "'s", "word": r"[\p{L}\p{N}_]+(?:['’-][\p{L}\p{N}_]+)*", "form": "NFKC"}


def describe(name: str, captioners: Mapping[str, Captioner], folder: Path, small: bool) -> dict:
    """The content of ``captioner.json``.

    Args:
        name: the model's.
        captioners: by their kind of attention; they share one encoder.
        folder: holds their graphs.
    """
    first = next(iter(captioners.values()))
    encoder, config, tokenizer = first.model.encoder, first.model.config, first.tokenizer
    pieces, scores = tokenizer.pieces()
    return {
        "format": FORMAT,
        "model": name,
        "files": {"encoder": _file(folder, "encoder")},
        "kinds": {
            kind: {graph: _file(folder, f"{graph}-{kind}") for graph in ("prepare", "step")} for kind in captioners
        },
        "weights": fingerprints(captioners.values()),
        "small": small,
        "sizes": {
            "image": encoder.image_size,
            "side": encoder.grid_size,
            "channels": encoder.channels,
            "hidden": config.hidden,
            "attention": config.attention_size,
            "vocabulary": config.vocabulary,
        },
        "interpolation": encoder.interpolation,
        "decoding": decoding(),
        "tokens": {"pad": PAD, "unknown": UNKNOWN, "start": START, "end": END},
        "pieces": pieces,
        "scores": scores,
        "normalization": NORMALIZATION,
        "constants": player_constants(),
    }


def fingerprints(captioners: Iterable[Captioner]) -> dict[str, str]:
    """The field ``weights`` of captioners that share one encoder. It changes when they are trained further."""
    found = {}
    for captioner in captioners:
        found.setdefault("encoder", _fingerprint(captioner.model.encoder))
        found[captioner.attention_kind] = _fingerprint(captioner.model.decoder)
    return found


def decoding() -> dict:
    """How captions are searched unless somebody wishes otherwise."""
    return {**asdict(DecodeOptions()), "most_beams": MOST_BEAMS}


def read(folder: Path) -> dict:
    """The ``captioner.json`` in a folder."""
    return json.loads((folder / NAME).read_text(encoding="utf-8"))


def files(folder: Path) -> list[Path]:
    """The ``captioner.json`` in a folder, and all files that it names."""
    described = read(folder)
    graphs = [*described["files"].values(), *(file for kind in described["kinds"].values() for file in kind.values())]
    return [folder / NAME, *(folder / graph["file"] for graph in graphs)]


def _fingerprint(module: nn.Module) -> str:
    weights = hashlib.sha256()
    for name, value in module.state_dict().items():
        weights.update(name.encode())
        weights.update(value.contiguous().cpu().numpy())
    return weights.hexdigest()[:16]


def _file(folder: Path, graph: str) -> dict:
    file = f"{graph}.onnx"
    return {"file": file, "bytes": (folder / file).stat().st_size}
