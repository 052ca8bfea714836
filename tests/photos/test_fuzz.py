"""Damaged photos of every format give pixels or a `PhotoError`: no other error, no remark, no hang, no flood of memory."""

import resource
import struct
import time
import zlib
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from support.photos import GRAY, chunk, encoded, heic, jpeg, png, rgb, segment, tags, tiff

from capmodel.photos import FORMATS, PhotoError, load_photo, may_be_photo

LONGEST = 20.0  # seconds for a photo on a busy machine
MOST_MEMORY = 3 << 30  # bytes: 100 million pixels, decoded, turned and converted


def seeds() -> list[bytes]:
    """A few hundred bytes to a few thousand of every format, with everything in them that programs may stumble over."""
    exif = tags(
        {
            0x010F: (2, 7, b"Camera\0"),
            0x0112: (3, 1, struct.pack("<H", 6)),
            0x011A: (5, 1, struct.pack("<II", 72, 1)),
            0x8769: (4, 1, struct.pack("<I", 8)),
        },
        "<",
    )
    with_exif = {"exif": b"Exif\0\0" + exif}
    profile = b"x\0\0" + zlib.compress(b"a profile" * 20)
    gray16 = GRAY.astype(np.uint16) * 257
    found = [encoded(rgb(), kind) for kind in FORMATS]
    found += [
        heic(),
        encoded(rgb(), "JPEG", progressive=True, **with_exif),
        encoded(rgb().convert("CMYK"), "JPEG"),
        encoded(rgb(), "MPO", save_all=True, append_images=[Image.new("RGB", (60, 40))], **with_exif),
        jpeg(segment(0xE2, b"ICC_PROFILE\0\1\1profile"), segment(0xED, b"Photoshop 3.0\x008BIM\3\xed\0\0\0\0\0\2ab")),
        png([chunk(b"eXIf", exif), chunk(b"iCCP", profile), chunk(b"tRNS", bytes(6)), chunk(b"tEXt", b"a\0b")]),
        png(pixels=GRAY.astype(">u2") * 257, kind=0, depth=16, before=[chunk(b"tRNS", b"\0\0")]),
        encoded(rgb().quantize(8), "PNG", transparency=1),
        encoded(rgb(), "PNG", save_all=True, append_images=[Image.new("RGB", (60, 40))]),
        encoded(rgb(), "GIF", save_all=True, append_images=[Image.new("RGB", (60, 40))], comment=b"a", transparency=0),
        encoded(rgb().quantize(8), "BMP"),
        encoded(rgb().convert("RGBA"), "BMP"),
        encoded(rgb(), "WEBP", lossless=True, **with_exif),
        encoded(rgb().convert("RGBA"), "WEBP"),
        encoded(rgb(), "TIFF", compression="tiff_lzw"),
        encoded(rgb(), "TIFF", compression="jpeg"),
        encoded(rgb().convert("1"), "TIFF", compression="group4"),
        encoded(rgb().quantize(8), "TIFF", compression="packbits"),
        encoded(rgb().convert("CMYK"), "TIFF"),
        encoded(Image.fromarray(gray16), "TIFF", compression="tiff_adobe_deflate"),
        tiff(gray16, 0, ">", more={274: (2, 2, b"6\0")}),
        tiff(GRAY.astype(np.float32), 1, "<"),
        encoded(rgb(), "TIFF", big_tiff=True),
        encoded(rgb().convert("RGBA"), "ICO", sizes=[(16, 16), (32, 32)], bitmap_format="bmp"),
        encoded(rgb().quantize(8), "TGA", compression="tga_rle"),
        encoded(rgb(), "TGA", compression="tga_rle"),
        encoded(rgb().convert("1"), "PPM"),
        encoded(Image.fromarray(gray16), "PPM"),
        encoded(Image.fromarray(GRAY.astype(np.float32)), "PPM"),
        b"P3\n4 2\n255\n" + b"10 20 30 " * 8,
        encoded(rgb().convert("L"), "JPEG2000", no_jp2=True),
        encoded(rgb().convert("RGBA"), "AVIF"),
    ]
    return found


def damaged(photo: bytes, other: bytes, random: np.random.Generator) -> bytes:
    """A photo with one to three kinds of damage."""
    data = bytearray(photo)
    for _ in range(random.integers(1, 4)):
        # Half of the damage is among the first bytes, where most formats say what follows.
        size = len(data) if random.random() < 0.5 else min(len(data), 200)
        at, to = sorted(random.integers(size + 1, size=2).tolist())
        length = int(random.integers(1, 65))
        match random.integers(9):
            case 0:  # bits
                for place in random.integers(size, size=random.integers(1, 9)) if size else ():
                    data[place] ^= 1 << int(random.integers(8))
            case 1:  # bytes
                for place in random.integers(size, size=random.integers(1, 9)) if size else ():
                    data[place] = int(random.choice([0, 1, 127, 128, 254, 255, random.integers(256)]))
            case 2:  # a number of four bytes
                data[at : at + 4] = struct.pack(
                    random.choice(["<I", ">I"]), int(random.choice([0, 1, 0xFFFF, 2**31 - 1, 2**32 - 1]))
                )
            case 3:  # a cut
                del data[max(at, 1) :]
            case 4:  # a hole
                del data[at : at + length]
            case 5:  # inserted bytes
                data[at:at] = random.bytes(length)
            case 6:  # two parts change places
                data[at : at + length], data[to : to + length] = data[to : to + length], data[at : at + length]
            case 7:  # a part twice
                data[at:at] = data[at : at + length] * int(random.integers(1, 20))
            case 8:  # a part of another photo
                start = int(random.integers(len(other)))
                data[at : at + length] = other[start : start + length]
    return bytes(data)


def check(data: bytes, at_least: int | None) -> str:
    begin = time.monotonic()
    may = may_be_photo(data[:4096])
    try:
        photo = load_photo(data, at_least)
    except PhotoError as error:
        message = str(error)
        assert message.endswith(".")
        assert message.count(". ") == 0
        result = message
    else:
        assert photo.dtype == np.uint8
        assert photo.ndim == 3
        assert photo.shape[2] == 3
        assert photo.size
        assert may
        result = "read"
    assert time.monotonic() - begin < LONGEST
    return result


@pytest.mark.parametrize("count", [600, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_photos(count, capfd, recwarn):
    random, photos = np.random.default_rng(count), seeds()
    for photo in photos:
        assert check(photo, None) == "read"
    results, before = Counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(count):
        data = damaged(photos[number % len(photos)], photos[random.integers(len(photos))], random)
        results[check(data, [None, 16][number % 2])] += 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert [str(warning.message) for warning in recwarn] == []
    assert results["read"] > count / 10
    assert results["This file is damaged or cut short, so it cannot be read as a photo."] > count / 10
    assert grown < MOST_MEMORY
    with capfd.disabled():
        print(f"{count} damaged photos: {dict(results)}; {grown >> 20} MB")


def test_nonsense_is_refused():
    random = np.random.default_rng(1)
    for length in [*range(40), *random.integers(5000, size=100)]:
        for data in (random.bytes(int(length)), bytes(int(length)), b"\xff" * int(length)):
            assert check(data, None) != "read" or may_be_photo(data)
