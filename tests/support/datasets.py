"""Small data sets that a test makes: photos of one color, and captions in any layout."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from train.data.datasets import load_split
from train.data.rows import SPLITS


def write_photos(folder: Path, *names: str) -> None:
    """Writes a small photo for each name, which may have folders in it."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name)


def write(path: Path, text: str | bytes) -> Path:
    """Writes a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def captions_of(path: Path, splits: Iterable[str] = SPLITS, **options) -> dict[str, tuple[str, ...]]:
    """The captions of each photo, by the photo's name, in all of these splits that are not empty."""
    found = {}
    for split in splits:
        try:
            examples = load_split(path, split, **options)
        except SystemExit as error:
            if "no photos in the" not in str(error):
                raise
            continue
        found |= {example.photo.name: example.captions for example in examples}
    return found
