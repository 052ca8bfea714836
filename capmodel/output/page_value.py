"""What the player is given at the start where it takes photos: the page (`app.py`) and the one without a server."""

import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from capmodel.output.player import player_constants
from capmodel.photos.folders import page_rules
from capmodel.resources import ASSETS

THUMBNAIL = 240  # longer side of the example photos' thumbnails, in pixels


def page_value(
    samples: Sequence[dict],
    attentions: Sequence[str],
    *,
    image_size: int,
    photo_bytes: int,
    photos: int,
    retention_minutes: int | None,
) -> dict:
    """A ``PageValue`` of `assets/player/types.d.ts`.

    Args:
        samples: from `example_photos`, each with ``image`` and ``thumbnail``: ``{"url": ...}``.
        attentions: names of the kinds of attention, the usual one first.
        image_size: pixels along a side of what the model sees.
        photo_bytes: size of the largest file that is taken.
        photos: how many the page holds.
        retention_minutes: until the server deletes photos; None: they are never sent to one.
    """
    return {
        "samples": list(samples),
        "attentions": list(attentions),
        "retention_minutes": retention_minutes,
        "largest_bytes": photo_bytes,
        "most_photos": photos,
        "photo_rules": page_rules(),
        "frame_side": image_size,
        "constants": player_constants(),
    }


def example_photos(remarks: bool) -> list[dict]:
    """The example photos as ``Sample`` of `assets/player/types.d.ts`, but for their pictures.

    Args:
        remarks: with the bundled model's captions and what people say of them.
    """
    gallery, intro = (
        json.loads((ASSETS / f"{name}.json").read_text(encoding="utf-8")) for name in ("gallery", "intro")
    )
    samples = []
    for photo in gallery["photos"]:
        said = photo if remarks else {key: photo[key] for key in ("file", "description")}
        plays = {"captioned": intro[photo["file"]], "plays": True} if photo["file"] in intro else {}
        samples.append({**said, **plays})
    return samples


def thumbnail(photo: Path) -> Image.Image:
    """A small picture of an example photo."""
    with Image.open(photo) as image:
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        return image.copy()
