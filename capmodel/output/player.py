"""The parts of the browser's player: its files, its constants, and the photos it shows.

The same files serve the page (`app.py`), the page that plays offline (`capmodel/output/offline_page.py`) and those that
caption without a server (`capmodel/browser/site.py`).
"""

import base64
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from capmodel.caption import END_WORD, Caption
from capmodel.explain.agreement import OVERLAP, PHOTO_MATTERS, PLACE_MATTERS, STRONGEST, Answer
from capmodel.output.overlay import (
    AGAINST_COLOR,
    CLEAR,
    HIGHEST_TOP,
    LEAST_TOP,
    LOWEST_TOP,
    OPACITY,
    OVERLAY_COLOR,
    evidence_top,
    scale_top,
)
from capmodel.output.sentences import agreements, sentence
from capmodel.resources import ASSETS
from capmodel.words import FUNCTION_WORDS, GENDERED_WORDS

PLAYER = ASSETS / "player"
MAIN = "main.js"  # exports `mount`
SCRIPTS = (MAIN, "core/**/*.js", "engines/offline.js", "engines/server.js", "views/*.js", "panels/*.js")  # in PLAYER
BROWSER_ENGINE = ("engines/browser.js", "engines/browser/**/*.js")  # for pages that caption without a server
ON_DEVICE = ("engines/either.js", *BROWSER_ENGINE)  # for pages whose visitors may choose
# All that a page needs. The other files in the folder are for the player's developers.
FILES = ("player.html", "player.css", "page.html", *SCRIPTS)


class PlayerFiles(NamedTuple):
    """The player's template, style and scripts.

    Attributes:
        html: the content of the element in which the player is mounted.
        scripts: the ES modules' texts, by path. ``main.js`` exports ``mount(element, props, engine, watch)``.
        version: a hash that changes with any of these files.
    """

    html: str
    css: str
    scripts: dict[str, str]
    version: str


def player_files(also: Sequence[str] = ()) -> PlayerFiles:
    """Reads the player from ``assets/player``.

    Args:
        also: patterns of scripts that only some pages need, such as `BROWSER_ENGINE`.
    """
    paths = [path for pattern in (*SCRIPTS, *also) for path in sorted(PLAYER.glob(pattern))]
    scripts = {path.relative_to(PLAYER).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    html, css = ((PLAYER / name).read_text(encoding="utf-8") for name in ("player.html", "player.css"))
    version = hashlib.sha256(repr((html, css, scripts)).encode()).hexdigest()[:16]
    return PlayerFiles(html, css, scripts, version)


def player_constants() -> dict:
    """The constants with which the player draws and words captions as Python does."""
    return {
        "overlay_color": OVERLAY_COLOR.astype(int).tolist(),
        "against_color": AGAINST_COLOR.astype(int).tolist(),
        "opacity": OPACITY,
        "clear": CLEAR,
        "least_top": LEAST_TOP,
        "evidence_tops": [LOWEST_TOP, HIGHEST_TOP],
        "agreement": {
            "strongest": STRONGEST,
            "overlap": OVERLAP,
            "place_matters": PLACE_MATTERS,
            "photo_matters": PHOTO_MATTERS,
        },
        "end_word": END_WORD,
        "function_words": sorted(FUNCTION_WORDS),
        "gendered_words": GENDERED_WORDS,
    }


def player_item(key: str, name: str, captions: Sequence[Caption]) -> dict:
    """A captioned photo in the player's format; the caller adds ``"image": {"url": ...}``.

    Args:
        key: identifies the photo's content.
        name: the photo's file name, as its owner wrote it. The player shows it only as text.
        captions: best first, at least one, all from the same model.

    Returns:
        ``key``, ``name``, ``captions``, and ``side``: the number of cells along a side of the model's grid.
    """
    side = captions[0].words[0].weights.shape[0]
    return {"key": key, "name": name, "captions": [_as_item(caption) for caption in captions], "side": side}


def evidence_item(caption: Caption) -> dict:
    """The evidence of a caption that has it, in the player's format.

    Returns:
        ``nats`` of all words, laid out like their ``weights``; ``top``, the end of their scale; and for each of the
        ``words`` the share that it ``kept``, a ``sentence``, and ``unplaced``: no place mattered, and not all together.
    """
    assert caption.evidence
    found = agreements(caption)
    return {
        "nats": _pack(caption.evidence.nats),
        "top": evidence_top(caption.evidence),
        "words": [
            {
                "kept": round(float(kept), 4),
                "sentence": sentence(agreement, first=position == 0),
                "unplaced": agreement.answer == Answer.NO_PLACE,
            }
            for position, (agreement, kept) in enumerate(zip(found, caption.evidence.kept, strict=True))
        ],
    }


def _pack(maps: np.ndarray) -> str:
    """Maps (words, side, side) -> base64 of little-endian float32."""
    return base64.b64encode(maps.astype("<f4").tobytes()).decode()


def _rounded(alternatives: Sequence[tuple[str, float]]) -> list[list]:
    return [[text, round(probability, 4)] for text, probability in alternatives]


def _as_item(caption: Caption) -> dict:
    has_alternatives = any(word.alternatives for word in caption.words)  # otherwise the page asks for them
    return {
        "words": [
            {
                "text": word.text,
                "probability": round(word.probability, 4),
                **({"alternatives": _rounded(word.alternatives)} if has_alternatives else {}),
            }
            for word in caption.words
        ],
        "weights": _pack(np.stack([word.weights for word in caption.words])),
        "top": scale_top(caption),
        "score": round(caption.score, 4),
        **({"evidence": evidence_item(caption)} if caption.evidence else {}),
    }
