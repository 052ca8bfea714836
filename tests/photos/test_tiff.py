"""TIFF files of gray values, counted from black or from white, in every width and byte order."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms
from support.photos import GRAY, QUARTERS, assert_quarters, encoded, rgb, tiff

from capmodel.photos import PhotoError, load_photo

FROM_WHITE, FROM_BLACK = 0, 1


def packed(values: np.ndarray, bits: int) -> np.ndarray:
    """Rows of values of 1, 2, 4 or 12 bits as bytes."""
    unpacked = np.unpackbits(values.astype(">u2")[..., None].view(np.uint8), axis=-1)[..., 16 - bits :]
    return np.packbits(unpacked.reshape(len(values), -1), axis=1)


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("photometric", [FROM_WHITE, FROM_BLACK], ids=["from white", "from black"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16])
def test_gray(bits, photometric, order):
    top = 2**bits - 1
    gray = np.repeat(np.linspace(0, 255, 64).astype(np.uint16)[None], 40, 0)
    values = (gray * top + 127) // 255
    expected = values * (255 / top)
    stored = top - values if photometric == FROM_WHITE else values
    if bits == 16:
        data = tiff(stored.astype(np.uint16), photometric, order)
    elif bits == 8:
        data = tiff(stored.astype(np.uint8), photometric, order)
    else:
        data = tiff(packed(stored, bits), photometric, order, bits)
    photo = load_photo(data)
    assert photo.shape == (40, 64, 3)
    np.testing.assert_allclose(photo[..., 0], expected, atol=1.5)


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("photometric", [FROM_WHITE, FROM_BLACK], ids=["from white", "from black"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_gray_as_real_numbers(kind, photometric, order):
    values = (GRAY / 255).astype(kind)
    photo = load_photo(tiff(1 - values if photometric == FROM_WHITE else values, photometric, order))
    np.testing.assert_allclose(photo[..., 0], GRAY, atol=1)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_16_bits_from_white(compression):
    values = GRAY.astype(np.uint16) * 257
    data = encoded(Image.fromarray(65535 - values), "TIFF", compression=compression, tiffinfo={262: 0})
    with Image.open(io.BytesIO(data)) as image:
        assert image.tag_v2[262] == FROM_WHITE
    np.testing.assert_allclose(load_photo(data)[..., 0], GRAY, atol=1)


@pytest.mark.parametrize("mode", ["CMYK", "RGBA", "P", "LA", "1", "L"])
def test_other_modes(mode):
    image = rgb().quantize(8) if mode == "P" else rgb().convert(mode)
    photo = load_photo(encoded(image, "TIFF"))
    np.testing.assert_allclose(photo.astype(int), np.asarray(image.convert("RGB")).astype(int), atol=4)


def test_lab_and_ycbcr():
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(rgb(), srgb, lab, outputMode="LAB")
    assert_quarters(load_photo(encoded(image, "TIFF")), tolerance=40)
    assert_quarters(load_photo(encoded(rgb().convert("YCbCr"), "TIFF", compression="jpeg", quality=95)), tolerance=40)


def test_odd_tags_are_ignored():
    odd = {
        700: (1, 3, b"xmp"),  # XMP that is none
        34665: (4, 1, struct.pack("<I", 99_999_999)),  # EXIF data behind the end of the file
        34675: (7, 4, b"icc?"),  # a profile that is none
        37724: (7, 1 << 30, b"\0\0\0\0"),  # longer than the file
        65000: (99, 1, b"\0\0\0\0"),  # of an unknown type
        282: (5, 1, struct.pack("<II", 1, 0)),  # a resolution of 1 / 0
        274: (3, 1, struct.pack("<H", 77)),  # no orientation
    }
    np.testing.assert_array_equal(load_photo(tiff(GRAY, FROM_BLACK, "<", more=odd))[..., 0], GRAY)


def test_a_rare_kind_is_refused_with_a_remedy():
    rare = tiff(np.zeros((8, 8), np.uint8), 32803, "<")  # the raw values of a camera
    with pytest.raises(PhotoError, match="of a rare kind; open it in another program and save it as JPEG or PNG"):
        load_photo(rare)


def test_colours_of_16_bits():
    stored = QUARTERS.astype(">u2") * 257
    assert stored.dtype.itemsize == 2
    three = {
        258: (3, 3, struct.pack(">3H", 16, 16, 16)),
        277: (3, 1, struct.pack(">H", 3)),
        256: (4, 1, struct.pack(">I", 60)),
    }
    data = tiff(stored.reshape(40, 180), 2, ">", more=three | {339: (3, 3, struct.pack(">3H", 1, 1, 1))})
    assert_quarters(load_photo(data), tolerance=1)
