"""A film for a browser's camera."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

FRAMES = 120  # of each photo: four seconds


def write_film(path: Path, photos: Sequence[Path], size: tuple[int, int]) -> None:
    """Writes Motion JPEG, which is JPEGs one after the other: each photo for four seconds, `size` is width and height.

    Chromium's option --use-file-for-fake-video-capture takes it, and plays it again and again.
    """
    with path.open("wb") as file:
        for photo in photos:
            frame = io.BytesIO()
            Image.open(photo).convert("RGB").resize(size).save(frame, "JPEG", quality=90)
            file.write(frame.getvalue() * FRAMES)
