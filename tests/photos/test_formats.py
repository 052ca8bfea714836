"""Odd but whole GIF, WebP, BMP, HEIC and other files give the picture that browsers show."""

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from support.photos import GRAY, QUARTERS, assert_quarters, encoded, rgb

from capmodel.photos import PhotoError, load_photo, may_be_photo

INDICES = np.kron([[0, 1], [2, 3]], np.ones((20, 30))).astype(np.uint8)
PALETTE = bytes([0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0, 255, 255, 255, 0])  # blue first, as in BMP


def gif(extension: bytes = b"", end: bytes = b";", screen: tuple[int, int] = (60, 40)) -> bytes:
    """A GIF file with an extension of one's own before the picture."""
    whole = encoded(rgb().quantize(8), "GIF").removesuffix(b";")
    header = 13 + 3 * (2 << (whole[10] & 7))
    return whole[:6] + struct.pack("<HH", *screen) + whole[10:header] + extension + whole[header:] + end


GIFS = {
    "comment": gif(b"!\xfe\x05hello\0"),
    "empty comment": gif(b"!\xfe\0"),
    "unknown extension": gif(b"!\x42\x03abc\0"),
    "plain text": gif(b"!\x01\x0c" + bytes(12) + b"\x03abc\0"),
    "application": gif(b"!\xff\x03abc\0"),
    "application without number of loops": gif(b"!\xff\x0bNETSCAPE2.0\x01\x01\0"),
    "empty application": gif(b"!\xff\0"),
    "empty unknown extensions": gif(b"!\x42\0!\x43\0"),
    "empty plain text, then a comment": gif(b"!\x01\0!\xfe\x05hello\0"),
    "zeros between": gif(b"\0\0\0"),
    "letters between": gif(b"xyz"),
    "no end": gif(end=b""),
    "something behind the end": gif(end=b";something"),
    "screen without size": gif(screen=(0, 0)),
    "screen smaller than the picture": gif(screen=(1, 1)),
}


def riff(*chunks: bytes) -> bytes:
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def webp_chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def extended(flags: int) -> bytes:
    return webp_chunk(b"VP8X", bytes([flags, 0, 0, 0, 59, 0, 0, 39, 0, 0]))


LOSSLESS = encoded(rgb(), "WEBP", lossless=True)[12:]
WEBPS = {
    "extended": riff(extended(0), LOSSLESS),
    "unknown chunk before": riff(extended(0), webp_chunk(b"ABCD", b"abc"), LOSSLESS),
    "unknown chunk behind": riff(extended(0), LOSSLESS, webp_chunk(b"ABCD", b"abc")),
    "unknown chunk in a simple file": riff(LOSSLESS, webp_chunk(b"ABCD", b"abc")),
    "EXIF announced but missing": riff(extended(8), LOSSLESS),
    "profile announced but missing": riff(extended(32), LOSSLESS),
    "profile that is none": riff(extended(32), webp_chunk(b"ICCP", b"abc"), LOSSLESS),
    "EXIF not announced": riff(extended(0), LOSSLESS, webp_chunk(b"EXIF", b"abc")),
    "EXIF that is none": riff(extended(8), LOSSLESS, webp_chunk(b"EXIF", b"abc")),
    "empty EXIF": riff(extended(8), LOSSLESS, webp_chunk(b"EXIF", b"")),
    "something behind the end": riff(LOSSLESS) + b"something",
}


def rows(pixels: np.ndarray) -> bytes:
    """From the bottom up, each filled up to four bytes."""
    return b"".join(line.tobytes() + b"\0" * (-len(line.tobytes()) % 4) for line in pixels[::-1])


def bmp(bits: int, data: bytes, method: int = 0, palette: bytes = b"", header: bytes = b"", height: int = 40) -> bytes:
    """A BMP file.

    Args:
        header: what follows the first 40 bytes of its header.
    """
    size = 40 + (len(header) if len(header) > 12 else 0)  # masks of 12 bytes come behind it
    info = (
        struct.pack("<IiiHHIIiiII", size, 60, height, 1, bits, method, len(data), 0, 0, len(palette) // 4, 0) + header
    )
    start = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + info + palette + data


BLUE_FIRST = QUARTERS[..., ::-1]
FIVE = (QUARTERS >> 3).astype(np.uint16)
UNUSED = np.dstack([BLUE_FIRST, np.zeros((40, 60), np.uint8)])
OPAQUE = np.dstack([BLUE_FIRST, np.full((40, 60), 255, np.uint8)])
MASKS = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
ALPHA_MASK = MASKS + struct.pack("<I", 0xFF000000)


def runs(left: int, right: int) -> bytes:
    return (bytes([30, left, 30, right]) + b"\0\0") * 20


BMPS = {
    "24 bits": bmp(24, rows(BLUE_FIRST)),
    "from the top": bmp(24, rows(BLUE_FIRST[::-1]), height=-40),
    "15 bits": bmp(16, rows(FIVE[..., 0] << 10 | FIVE[..., 1] << 5 | FIVE[..., 2])),
    "16 bits": bmp(
        16,
        rows(FIVE[..., 0] << 11 | FIVE[..., 1] << 6 | FIVE[..., 2]),
        3,
        header=struct.pack("<III", 0xF800, 0x7E0, 0x1F),
    ),
    "32 bits, the last 8 unused": bmp(32, rows(UNUSED)),
    "32 bits with masks": bmp(32, rows(UNUSED), 3, header=MASKS),
    "32 bits with alpha": bmp(32, rows(OPAQUE), 3, header=ALPHA_MASK + bytes(68)),
    "8 bits": bmp(8, rows(INDICES), palette=PALETTE),
    "4 bits": bmp(4, rows(INDICES[:, ::2] << 4 | INDICES[:, 1::2]), palette=PALETTE),
    "8 bits in runs": bmp(8, runs(2, 3) + runs(0, 1) + b"\0\1", 1, palette=PALETTE),
    "4 bits in runs": bmp(4, runs(0x22, 0x33) + runs(0, 0x11) + b"\0\1", 2, palette=PALETTE),
    "header of version 4": bmp(24, rows(BLUE_FIRST), header=bytes(68)),
    "header of version 5": bmp(24, rows(BLUE_FIRST), header=bytes(84)),
    "header of OS/2": b"BM"
    + struct.pack("<IHHI", 26 + 7200, 0, 0, 26)
    + struct.pack("<IHHHH", 12, 60, 40, 1, 24)
    + rows(BLUE_FIRST),
    "size of file 0": bmp(24, rows(BLUE_FIRST)).replace(struct.pack("<I", 54 + 7200), bytes(4), 1),
    "something behind the end": bmp(24, rows(BLUE_FIRST)) + b"something",
}

ICO = encoded(rgb().convert("RGBA"), "ICO", sizes=[(60, 40)])
OTHERS = {
    "ICO": ICO,
    "ICO with BMP": encoded(rgb().convert("RGBA"), "ICO", sizes=[(60, 40)], bitmap_format="bmp"),
    "PPM with a comment": b"P6\n# by hand\n60 40\n255\n" + QUARTERS.tobytes(),
    "PPM of 16 bits": b"P6 60 40 65535 " + (QUARTERS.astype(">u2") * 257).tobytes(),
    "PPM of 10 bits": b"P6 60 40 1023 " + (QUARTERS.astype(">u2") * 4 + QUARTERS // 64).astype(">u2").tobytes(),
    "PPM as text": b"P3 60 40 255\n" + b" ".join(b"%d" % value for value in QUARTERS.flat),
    "TGA in runs": encoded(rgb(), "TGA", compression="tga_rle"),
    "TGA with palette": encoded(rgb().quantize(8), "TGA"),
    "JPEG 2000 without a box": encoded(rgb(), "JPEG2000", no_jp2=True),
    "QOI": encoded(rgb(), "QOI"),
}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(data, id=f"{kind}: {name}")
        for kind, files in (("GIF", GIFS), ("WebP", WEBPS), ("BMP", BMPS), ("other", OTHERS))
        for name, data in files.items()
    ],
)
def test_odd_files_are_read(data):
    photo = load_photo(data)
    assert photo.shape == (40, 60, 3)
    assert_quarters(photo, tolerance=12)
    assert may_be_photo(data[:4096])


@pytest.mark.parametrize("mode", ["RGB;16", "RGBA;16"])
def test_heic_of_16_bits(mode):
    import pillow_heif

    pixels = QUARTERS if mode == "RGB;16" else np.dstack([QUARTERS, np.full((40, 60), 255, np.uint8)])
    stored = pixels.astype(np.uint16) * 257
    file = io.BytesIO()
    pillow_heif.from_bytes(mode, (60, 40), stored.tobytes()).save(file, quality=95)
    assert_quarters(load_photo(file.getvalue()))


def test_transparent_pixels_alone_are_white():
    """As browsers show a BMP file whose alpha is 0 everywhere."""
    photo = load_photo(bmp(32, rows(UNUSED), 3, header=ALPHA_MASK + bytes(68)))
    assert photo.shape == (40, 60, 3)
    assert photo.min() == 255


@pytest.mark.parametrize("cut", [6, 9, 12, 14, 20, 30])
def test_a_cut_gif_is_refused(cut):
    with pytest.raises(PhotoError, match="photo"):
        load_photo(GIFS["empty unknown extensions"][:cut])


def test_several_pictures_in_one_file_give_the_first():
    for kind in ("MPO", "GIF", "WEBP", "TIFF", "AVIF", "PNG"):
        others = [Image.new("RGB", (60, 40), "black"), Image.new("RGB", (60, 40), "red")]
        data = encoded(rgb(), kind, save_all=True, append_images=others)
        with Image.open(io.BytesIO(data)) as image:
            assert image.n_frames == 3
        assert_quarters(load_photo(data))


def test_gray_files_of_every_format():
    for kind in ("JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "JPEG2000", "PCX", "SGI", "TGA"):
        photo = load_photo(encoded(Image.fromarray(GRAY), kind))
        np.testing.assert_allclose(photo.astype(int), np.repeat(GRAY[..., None], 3, 2).astype(int), atol=6)


def test_a_video_is_no_photo():
    with pytest.raises(PhotoError, match=r"^This file is not a photo in a format that can be read\.$"):
        load_photo(b"\0\0\0\x20ftypisom" + bytes(100))


def test_the_loader_needs_no_pytorch():
    code = (
        "import sys, numpy; from capmodel.photos import load_photo; "
        "load_photo(numpy.zeros((4, 4, 3), 'uint8')); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
