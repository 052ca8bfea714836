"""What the browser's player is made of: its files, and the items it shows.

The same three kinds of file serve the page (`app.py`) and the offline page (`capmodel/output/export.py`).
"""

import base64
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from capmodel.caption import Caption
from capmodel.output.overlay import scale_top
from capmodel.resources import ASSETS

# In the order in which they are read: each may use what stands before it.
SCRIPTS = ("maps", "player", "words", "probe", "game", "compare", "export", "cards", "photos", "start")


class PlayerFiles(NamedTuple):
    """The player's template, style and script, each as text.

    The script is the body of a function of ``element`` (its root in the page), ``props`` (with
    ``props.value``), ``server`` (the functions it may ask, or None offline) and ``watch``.
    """

    html: str
    css: str
    js: str


def player_files() -> PlayerFiles:
    """Reads the player from ``assets/player*``."""
    scripts = (_read(f"player/{name}.js") for name in SCRIPTS)
    return PlayerFiles(_read("player.html"), _read("player.css"), "\n".join(scripts))


def player_item(key: str, name: str, captions: Sequence[Caption]) -> dict:
    """A captioned photo as the player takes it; the caller adds ``"image": {"url": ...}``.

    Args:
        key: names the photo's content.
        name: the photo's file name, as its owner wrote it. The player shows it as text only.
        captions: best first.
    """
    return {"key": key, "name": name, "captions": [_as_item(caption) for caption in captions]}


def _as_item(caption: Caption) -> dict:
    weights = np.stack([word.weights for word in caption.words]).astype("<f4")
    return {
        "words": [
            {
                "text": word.text,
                "probability": round(word.probability, 4),
                "alternatives": [[text, round(probability, 4)] for text, probability in word.alternatives],
            }
            for word in caption.words
        ],
        "weights": base64.b64encode(weights.tobytes()).decode(),  # little-endian float32 (words, 64)
        "top": scale_top(caption),
        "score": round(caption.score, 4),
    }


def _read(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
