"""PNG files with odd side chunks give the picture that browsers show."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from support.photos import (
    COLOR,
    GRAY_ALPHA,
    GRAYSCALE,
    PALETTE,
    QUARTERS,
    assert_quarters,
    chunk,
    corners,
    encoded,
    png,
    rgb,
)

from capmodel.photos import PhotoError, load_photo
from capmodel.photos.png import LARGEST_PROFILE, clean_png

LARGE = zlib.compress(b"a" * 3_000_000)  # three times as large as Pillow accepts, in 3 KB
WRONG = 12345  # a checksum
INDICES = np.kron([[0, 1], [2, 3]], np.ones((20, 30))).astype(np.uint8)
COLORS = chunk(b"PLTE", bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0]))  # the last is black


def frame(number: int, width: int = 60) -> bytes:
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, 40, 0, 0, 1, 10, 0, 0))


ANIMATION = chunk(b"acTL", struct.pack(">II", 2, 0))

SIDE_CHUNKS = {
    "text, wrong checksum": chunk(b"tEXt", b"Title\0A dog", WRONG),
    "gamma, wrong checksum": chunk(b"gAMA", struct.pack(">I", 45455), WRONG),
    "profile, wrong checksum": chunk(b"iCCP", b"x\0\0" + zlib.compress(b"abc"), WRONG),
    "EXIF, wrong checksum": chunk(b"eXIf", b"II*\0\x08\0\0\0", WRONG),
    "unknown, wrong checksum": chunk(b"abCd", b"xyz", WRONG),
    "large zTXt": chunk(b"zTXt", b"Raw\0\0" + LARGE),
    "large iTXt": chunk(b"iTXt", b"Raw\0\1\0\0\0" + LARGE),
    "large tEXt": chunk(b"tEXt", b"Raw\0" + b"a" * 3_000_000),
    "large EXIF as text": chunk(b"zTXt", b"Raw profile type exif\0\0" + LARGE),
    "large XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE),
    "XMP cut short": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1"),
    "70 MB of text in all": chunk(b"zTXt", b"Raw\0\0" + zlib.compress(b"a" * 1_000_000)) * 70,
    "large profile that is none": chunk(b"iCCP", b"x\0\0" + LARGE),
    "profile of an unknown method": chunk(b"iCCP", b"x\0\7" + LARGE),
    "empty profile": chunk(b"iCCP", b""),
    "profile that is not compressed": chunk(b"iCCP", b"x\0\0abc"),
    "text of an unknown method": chunk(b"zTXt", b"Raw\0\7abc"),
    "resolution cut short": chunk(b"pHYs", b"abc"),
    "empty sRGB": chunk(b"sRGB", b""),
    "chromaticities of odd length": chunk(b"cHRM", b"abcde"),
    "gamma cut short": chunk(b"gAMA", b"a"),
    "transparency cut short": chunk(b"tRNS", b"a"),
    "transparency too long": chunk(b"tRNS", bytes(12)),
    "time, histogram, background": chunk(b"tIME", b"x") + chunk(b"hIST", b"x") + chunk(b"bKGD", b"x"),
    "animation cut short": chunk(b"acTL", b"a"),
    "two animations": ANIMATION * 2,
    "frame with a wrong number": ANIMATION + frame(5),
    "frame outside the picture": ANIMATION + frame(0, width=70),
    "EXIF that is none": chunk(b"eXIf", b"no EXIF at all"),
}


@pytest.mark.parametrize("place", ["before", "between", "after"])
@pytest.mark.parametrize("kind", SIDE_CHUNKS)
def test_side_chunks_do_not_spoil_the_picture(kind, place):
    assert_quarters(load_photo(png(**{place: [SIDE_CHUNKS[kind]]})), tolerance=0)


def test_a_picture_is_whole_without_its_end():
    whole = png(after=[chunk(b"tEXt", b"Title\0" + b"A dog " * 50)])
    assert_quarters(load_photo(whole[:-12]), tolerance=0)
    assert_quarters(load_photo(whole[:-100]), tolerance=0)  # within the text
    assert_quarters(load_photo(whole + b"something else" * 100), tolerance=0)
    assert_quarters(load_photo(whole[:-12] + b"\0\0\0\0\0\0\0\0" * 9), tolerance=0)


MAIN_CHUNKS = {
    "header": lambda data: data.replace(b"IHDR\0\0\0\x3c", b"IHDR\0\0\0\x3d"),
    "pixels": lambda data: data[: data.index(b"IDAT") + 20] + b"\0\0\0\0" + data[data.index(b"IDAT") + 24 :],
    "no pixels": lambda data: data[: data.index(b"IDAT") - 4],
    "cut within the pixels": lambda data: data[: data.rindex(b"IDAT") + 9],
    "name": lambda data: data.replace(b"IDAT", b"\0DAT", 1),
}


@pytest.mark.parametrize("kind", MAIN_CHUNKS)
def test_damaged_main_chunks_are_refused(kind):
    with pytest.raises(PhotoError, match="damaged"):
        load_photo(MAIN_CHUNKS[kind](png()))


def test_a_palette_with_a_wrong_checksum_is_refused():
    damaged = COLORS[:-4] + b"\0\0\0\0"
    with pytest.raises(PhotoError, match="damaged"):
        load_photo(png([damaged], pixels=INDICES, kind=PALETTE))


def test_an_animation_gives_its_first_frame():
    red, blue = Image.new("RGB", (60, 40), "red"), Image.new("RGB", (60, 40), "blue")
    for stands_in, first in ((False, rgb()), (True, rgb())):
        data = encoded(first, "PNG", save_all=True, append_images=[red, blue], default_image=stands_in)
        with Image.open(io.BytesIO(data)) as image:
            assert image.n_frames > 1
        assert_quarters(load_photo(data), tolerance=0)


@pytest.mark.parametrize("padding", [0, 2_000_000])
def test_a_profile_of_any_size_is_applied(padding):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"?").replace(b"gXYZ", b"rXYZ").replace(b"?", b"gXYZ")  # red and green
    padded = struct.pack(">I", len(swapped) + padding) + swapped[4:] + bytes(padding)
    data = png([chunk(b"iCCP", b"x\0\0" + zlib.compress(padded))])
    np.testing.assert_allclose(corners(load_photo(data)).astype(int), corners(QUARTERS)[[1, 0, 2, 3]], atol=2)


def test_a_profile_bomb_is_not_unpacked():
    bomb = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(4 * LARGEST_PROFILE)))
    data, profile = clean_png(png([bomb]))
    assert profile is None
    assert data == png()


def test_ordinary_files_stay_as_they_are():
    data = encoded(rgb().quantize(4), "PNG", transparency=0)
    assert clean_png(data) == (data, None)


WHITE = [255, 255, 255]


@pytest.mark.parametrize(
    ("transparency", "expected"),
    [
        ([255, 255, 255, 0], WHITE),
        ([255, 255, 255, 128], [127, 127, 127]),
        ([0, 255], [0, 0, 0]),  # of the first two colours only
        ([255] * 300, [0, 0, 0]),  # too long: does not count
    ],
)
def test_transparent_palettes(transparency, expected):
    data = png([COLORS, chunk(b"tRNS", bytes(transparency))], pixels=INDICES, kind=PALETTE)
    assert np.abs(corners(load_photo(data))[3].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_one_gray_value_can_be_transparent(depth):
    """The second lowest value of four, or the lower of two."""
    steps = min(4, 2**depth)
    top = 2**depth - 1
    levels = np.arange(steps) * top // (steps - 1)
    clear = 1 if steps == 4 else 0
    columns = np.repeat(levels, 64 // steps)
    if depth == 16:
        row = columns.astype(">u2")
    else:
        bits = np.unpackbits(columns.astype(np.uint8)[:, None], axis=1)[:, 8 - depth :]
        row = np.packbits(bits)
    pixels = np.repeat(row[None], 8, 0)
    data = png([chunk(b"tRNS", struct.pack(">H", levels[clear]))], pixels=pixels, kind=GRAYSCALE, depth=depth)
    expected = np.arange(steps) * 255 // (steps - 1)
    expected[clear] = 255
    np.testing.assert_array_equal(load_photo(data)[0, :: 64 // steps, 0], expected)


@pytest.mark.parametrize("depth", [8, 16])
def test_one_colour_can_be_transparent(depth):
    pixels = QUARTERS if depth == 8 else (QUARTERS.astype(int) * 0x80 + 0x1234).astype(">u2")
    color = pixels[30, 10].astype(int)  # blue
    data = png([chunk(b"tRNS", struct.pack(">3H", *color))], pixels=pixels, kind=COLOR, depth=depth)
    expected = corners(pixels).astype(int) >> (depth - 8)
    expected[2] = 255
    np.testing.assert_allclose(corners(load_photo(data)).astype(int), expected, atol=1)


@pytest.mark.parametrize("depth", [8, 16])
def test_gray_with_alpha(depth):
    gray, alpha = np.full((40, 60), 100), np.full((40, 60), 255)
    alpha[:, 30:] = 0
    pixels = np.dstack([gray, alpha]).astype(">u2") * 257 if depth == 16 else np.dstack([gray, alpha]).astype(np.uint8)
    photo = load_photo(png(pixels=pixels, kind=GRAY_ALPHA, depth=depth))
    assert photo[0, 0].tolist() == [100] * 3
    assert photo[0, 59].tolist() == WHITE
