"""JPEG files with odd segments give the picture that browsers show."""

import numpy as np
import pytest
from PIL import Image
from support.photos import QUARTERS, assert_quarters, corners, encoded, jpeg, rgb, segment

from capmodel.photos import PhotoError, load_photo
from capmodel.photos.jpeg import clean_jpeg

SIDE_SEGMENTS = {
    "JFIF cut short": segment(0xE0, b"JFIF"),
    "thumbnail of JFIF": segment(0xE0, b"JFXX\0\x13\x50\x50"),
    "EXIF that is none": segment(0xE1, b"Exif\0\0no EXIF at all"),
    "EXIF cut short": segment(0xE1, b"Exif\0\0MM"),
    "2 MB of EXIF": segment(0xE1, b"Exif\0\0" + b"a" * 65_000) * 30,
    "EXIF twice": segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0") * 2,
    "profile cut short": segment(0xE2, b"ICC_PROFILE\0"),
    "profile without its other parts": segment(0xE2, b"ICC_PROFILE\0\1\3abc"),
    "profile that is none, twice": segment(0xE2, b"ICC_PROFILE\0\1\1abc") * 2,
    "list of pictures, cut short": segment(0xE2, b"MPF\0"),
    "list of pictures, damaged": segment(0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff"),
    "FlashPix": segment(0xE2, b"FPXR\0"),
    "Photoshop, cut within a name": segment(0xED, b"Photoshop 3.0\x008BIM\3\xed"),
    "Photoshop, cut within a value": segment(0xED, b"Photoshop 3.0\x008BIM\3\xed\0\0\0\0\0\2ab"),
    "Adobe cut short": segment(0xEE, b"Adobe"),
    "Adobe cut later": segment(0xEE, b"Adobe\0\x64\0"),
    "empty comment": segment(0xFE, b""),
    "segment without length": b"\xff\xe5\0\0",
    "segment of length 1": b"\xff\xe5\0\1",
    "temporary marker": b"\xff\x01",
    "restart marker": b"\xff\xd0",
    "bytes to fill up": b"\xff\xff\xff",
    "unknown": b"".join(segment(0xE0 + number, b"something") for number in range(16)),
}


@pytest.mark.parametrize("kind", SIDE_SEGMENTS)
def test_side_segments_do_not_spoil_the_picture(kind):
    whole = jpeg(SIDE_SEGMENTS[kind])
    assert_quarters(load_photo(whole), tolerance=12)
    assert_quarters(load_photo(clean_jpeg(whole)), tolerance=12)
    # After the tables, too, and with another segment that Pillow refuses.
    late = jpeg(SIDE_SEGMENTS["Adobe cut short"])
    scan = late.index(b"\xff\xda")
    assert_quarters(load_photo(late[:scan] + SIDE_SEGMENTS[kind] + late[scan:]), tolerance=12)


def test_what_follows_the_picture_is_ignored():
    assert_quarters(load_photo(jpeg() + b"the video of a motion photo" * 1000), tolerance=12)
    assert_quarters(load_photo(jpeg() + jpeg()), tolerance=12)


def test_segments_that_change_the_picture_are_kept():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(rgb().transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)
    assert clean_jpeg(data) == data
    refused = data[:2] + SIDE_SEGMENTS["Adobe cut short"] + data[2:]
    assert load_photo(refused).shape == (40, 60, 3)
    assert_quarters(load_photo(refused))


@pytest.mark.parametrize("damaged", [False, True])
def test_cmyk_of_adobe_is_inverted(damaged):
    """Adobe's programs write CMYK inverted, and say so in a segment."""
    data = encoded(rgb().convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in data
    if damaged:
        data = data[:2] + SIDE_SEGMENTS["profile cut short"] + data[2:]
    assert_quarters(load_photo(data), tolerance=12)


def test_colours_are_those_of_the_adobe_segment():
    """RGB without conversion, which only this segment tells."""
    data = encoded(rgb(), "JPEG", quality=95, keep_rgb=True)
    refused = data[:2] + SIDE_SEGMENTS["JFIF cut short"] + data[2:]
    np.testing.assert_allclose(corners(load_photo(refused)).astype(int), corners(QUARTERS), atol=12)


@pytest.mark.parametrize("damage", [b"\xff\x30", segment(0xDB, b"\0"), segment(0xC0, b"\x0c\0\x28\0\x3c\1\1\x11\0")])
def test_damaged_or_rare_main_segments_are_refused(damage):
    with pytest.raises(PhotoError, match=r"damaged or of a rare kind; .* save it as JPEG or PNG\.$"):
        load_photo(jpeg(damage))
