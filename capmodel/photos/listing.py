"""The photos of a folder."""

from pathlib import Path

# fmt: off
PHOTO_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff",
    ".heic", ".heif", ".avif", ".ppm", ".pgm", ".jp2",
})
# fmt: on


def list_photos(folder: Path) -> list[Path]:
    """Every photo below a folder, by file name suffix, sorted by path."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file())
