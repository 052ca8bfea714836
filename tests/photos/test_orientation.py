"""Photos are turned upright, however their orientation is written."""

import struct

import numpy as np
import pytest
from PIL import Image
from support.photos import assert_quarters, chunk, encoded, png, rgb, segment, tags, tiff

from capmodel.photos import load_photo
from capmodel.photos.orientation import TURNS

BACK = {Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90}
ORIENTATION = 0x0112
BYTE, TEXT, SHORT, LONG, RATIONAL, SIGNED_BYTE, UNDEFINED, SIGNED_SHORT, SIGNED, SIGNED_RATIONAL, FLOAT, DOUBLE = range(
    1, 13
)


def turned(orientation: int) -> Image.Image:
    """The picture as a camera stores it, to be shown with this orientation."""
    turn = TURNS.get(orientation)
    return rgb() if turn is None else rgb().transpose(BACK.get(turn, turn))


def exif(value: bytes, kind: int = SHORT, count: int = 1, order: str = "<") -> bytes:
    return tags({ORIENTATION: (kind, count, value)}, order)


def in_jpeg(orientation: int, data: bytes) -> bytes:
    whole = encoded(turned(orientation), "JPEG", quality=95, subsampling=0)
    return whole[:2] + segment(0xE1, b"Exif\0\0" + data) + whole[2:]


def assert_upright(data: bytes) -> None:
    photo = load_photo(data)
    assert photo.shape == (40, 60, 3)
    assert_quarters(photo)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(orientation, order):
    data = exif(struct.pack(order + "H", orientation), order=order)
    assert_upright(in_jpeg(orientation, data))
    pixels = np.array(turned(orientation))
    assert_upright(png([chunk(b"eXIf", data)], pixels=pixels))
    assert_upright(encoded(turned(orientation), "WEBP", lossless=True, exif=b"Exif\0\0" + data))
    assert_upright(encoded(turned(orientation), "TIFF", tiffinfo={ORIENTATION: orientation}))
    assert_upright(encoded(turned(orientation), "AVIF", quality=95, exif=b"Exif\0\0" + data))


WRITTEN = {
    "text": (b"6\0", TEXT, 2),
    "text with blanks": (b" 6 \0", TEXT, 4),
    "text without end": (b"6", TEXT, 1),
    "a byte": (b"\6", BYTE, 1),
    "a signed byte": (b"\6", SIGNED_BYTE, 1),
    "undefined": (b"\6", UNDEFINED, 1),
    "undefined, two bytes": (b"\6\0", UNDEFINED, 2),
    "undefined, a digit": (b"6", UNDEFINED, 1),
    "long": (struct.pack("<I", 6), LONG, 1),
    "signed short": (struct.pack("<h", 6), SIGNED_SHORT, 1),
    "signed": (struct.pack("<i", 6), SIGNED, 1),
    "a fraction": (struct.pack("<II", 6, 1), RATIONAL, 1),
    "a signed fraction": (struct.pack("<ii", 12, 2), SIGNED_RATIONAL, 1),
    "float": (struct.pack("<f", 6), FLOAT, 1),
    "double": (struct.pack("<d", 6), DOUBLE, 1),
    "twice": (struct.pack("<HH", 6, 6), SHORT, 2),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_any_way_to_write_it(kind):
    data = exif(*WRITTEN[kind])
    assert_upright(in_jpeg(6, data))
    assert_upright(png([chunk(b"eXIf", data)], pixels=np.array(turned(6))))
    gray = np.rot90(np.arange(100, dtype=np.uint8).reshape(10, 10), 1)
    value, written_as, count = WRITTEN[kind]
    photo = load_photo(tiff(np.ascontiguousarray(gray), 1, "<", more={ORIENTATION: (written_as, count, value)}))
    np.testing.assert_array_equal(photo[..., 0], np.arange(100).reshape(10, 10))


NO_ORIENTATION = {
    "zero": exif(struct.pack("<H", 0)),
    "nine": exif(struct.pack("<H", 9)),
    "large": exif(struct.pack("<H", 65535)),
    "negative": exif(struct.pack("<h", -6), SIGNED_SHORT),
    "a word": exif(b"top-left\0", TEXT, 9),
    "no text": exif(b"\0", TEXT, 1),
    "no value": exif(b"", SHORT, 0),
    "a fraction by zero": exif(struct.pack("<II", 6, 0), RATIONAL),
    "not a number": exif(struct.pack("<f", float("nan")), FLOAT),
    "unknown type": exif(b"\6", 99),
    "far too many": exif(b"\6\0\0\0", SHORT, 1 << 30),
    "other byte order": exif(struct.pack(">H", 6)),
    "header alone": b"II*\0\x08\0\0\0",
    "cut within the tag": exif(struct.pack("<H", 6))[:15],
    "tags behind the end": b"II*\0\xff\xff\xff\x7f",
    "tags at themselves": b"II*\0\0\0\0\0",
    "65535 tags": b"II*\0\x08\0\0\0\xff\xff" + bytes(50),
    "wrong letters": b"XX*\0\x08\0\0\0" + exif(struct.pack("<H", 6))[8:],
    "nothing": b"",
    "zeros": bytes(100),
    "text": b"This is a letter." * 10,
}


@pytest.mark.parametrize("kind", NO_ORIENTATION)
def test_damaged_exif_turns_nothing(kind):
    data = NO_ORIENTATION[kind]
    assert_upright(in_jpeg(1, data))
    assert_upright(png([chunk(b"eXIf", data)]))
    assert_upright(encoded(rgb(), "WEBP", lossless=True, exif=data or b"\0"))


def test_before_exif_had_a_chunk_of_its_own():
    """ImageMagick's text chunk, in hexadecimal, and Adobe's XMP."""
    data = b"Exif\0\0" + exif(struct.pack("<H", 6))
    text = b"\nexif\n%8d\n" % len(data) + data.hex().encode() + b"\n"
    pixels = np.array(turned(6))
    assert_upright(png([chunk(b"tEXt", b"Raw profile type exif\0" + text)], pixels=pixels))
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    assert_upright(png([chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)], pixels=pixels))
    broken = chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 7\nno digits\n")
    assert_upright(png([broken]))


def test_an_image_of_the_caller_is_turned_and_stays_as_it_is():
    image = turned(6)
    image.getexif()[ORIENTATION] = 6
    before = image.tobytes()
    assert_quarters(load_photo(image), tolerance=0)
    assert image.tobytes() == before
    assert image.getexif()[ORIENTATION] == 6
