"""Turns photos upright."""

from contextlib import suppress

from PIL import ExifTags, Image

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_upright(image: Image.Image) -> Image.Image:
    """The image as it should be shown, by the orientation in its EXIF or XMP data: itself, or a turned copy."""
    turn = TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """1 to 8; 1 if there is none or the data are damaged."""
    with suppress(Exception):  # damaged EXIF data raise errors of almost any kind
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
        if isinstance(value, tuple | list):
            value = value[0]
        if isinstance(value, bytes) and len(value.rstrip(b"\0 ")) == 1 and value[0] <= 8:
            return value[0]  # a number of one byte
        if isinstance(value, bytes):
            value = value.decode("ascii")
        return int(value.strip("\0 ") if isinstance(value, str) else value)  # some programs write text
    return 1
