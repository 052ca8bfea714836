"""Small photo files of every kind, made byte by byte where no program writes them."""

import io
import struct
import zlib
from collections.abc import Iterable

import numpy as np
from PIL import Image

# A picture whose quarters tell up from down and left from right: red, green over blue, white.
QUARTERS = np.zeros((40, 60, 3), np.uint8)
QUARTERS[:20, :30], QUARTERS[:20, 30:] = (255, 0, 0), (0, 255, 0)
QUARTERS[20:, :30], QUARTERS[20:, 30:] = (0, 0, 255), (255, 255, 255)

GRAY = np.repeat(np.linspace(0, 255, 60).astype(np.uint8)[None], 40, 0)  # dark at the left

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR, GRAYSCALE, PALETTE, GRAY_ALPHA = 2, 0, 3, 4


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def rgb() -> Image.Image:
    return Image.fromarray(QUARTERS)


def heic() -> bytes:
    import pillow_heif

    file = io.BytesIO()
    pillow_heif.from_pillow(rgb()).save(file, quality=95)
    return file.getvalue()


def corners(photo: np.ndarray) -> np.ndarray:
    """The colours inside the four quarters, in reading order."""
    height, width = photo.shape[:2]
    return photo[[height // 4, height // 4, 3 * height // 4, 3 * height // 4], [width // 4, 3 * width // 4] * 2]


def assert_quarters(photo: np.ndarray, tolerance: int = 40) -> None:
    assert photo.dtype == np.uint8
    np.testing.assert_allclose(corners(photo).astype(int), corners(QUARTERS).astype(int), atol=tolerance)


def chunk(name: bytes, content: bytes, checksum: int | None = None) -> bytes:
    """A chunk of a PNG file, with the right checksum unless another is given."""
    checksum = zlib.crc32(name + content) if checksum is None else checksum
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def png(
    before: Iterable[bytes] = (),
    between: Iterable[bytes] = (),
    after: Iterable[bytes] = (),
    pixels: np.ndarray = QUARTERS,
    kind: int = COLOR,
    depth: int = 8,
) -> bytes:
    """A PNG file with chunks of one's own before, between and after those of the pixels.

    Args:
        pixels: big-endian if they have 16 bits; of less than 8 bits, packed.
        kind: of colour, as PNG counts.
    """
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
    half = len(packed) // 2
    width = len(pixels[0]) * 8 // depth if depth < 8 else pixels.shape[1]
    header = struct.pack(">IIBBBBB", width, len(pixels), depth, kind, 0, 0, 0)
    chunks = [
        chunk(b"IHDR", header),
        *before,
        chunk(b"IDAT", packed[:half]),
        *between,
        chunk(b"IDAT", packed[half:]),
        *after,
        chunk(b"IEND", b""),
    ]
    return PNG_SIGNATURE + b"".join(chunks)


def segment(marker: int, content: bytes) -> bytes:
    """A segment of a JPEG file."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg(*segments: bytes) -> bytes:
    """A JPEG file that begins with segments of one's own."""
    whole = encoded(rgb(), "JPEG", quality=95, subsampling=0)
    return whole[:2] + b"".join(segments) + whole[2:]


def tags(entries: dict[int, tuple[int, int, bytes]], order: str, data: bytes = b"") -> bytes:
    """A TIFF file, or EXIF data: its tags, then the data of the picture, to which the tag 273 (StripOffsets) points.

    Args:
        entries: by tag, the type, the number of values, and their bytes.
        order: "<" or ">".
    """
    begin = b"II*\0" if order == "<" else b"MM\0*"
    behind = 8 + 2 + 12 * len(entries) + 4
    rows, long = [], b""
    for tag, (kind, count, value) in sorted(entries.items()):
        if len(value) > 4:
            place = struct.pack(order + "I", behind + len(long))
            long += value + b"\0" * (len(value) % 2)
        else:
            place = value.ljust(4, b"\0")
        rows.append((struct.pack(order + "HHI", tag, kind, count), place))
    start = struct.pack(order + "I", behind + len(long))
    table = b"".join(head + (start if head[:2] == struct.pack(order + "H", 273) else place) for head, place in rows)
    return begin + struct.pack(order + "IH", 8, len(rows)) + table + struct.pack(order + "I", 0) + long + data


def tiff(pixels: np.ndarray, photometric: int, order: str, bits: int | None = None, more: dict | None = None) -> bytes:
    """An uncompressed TIFF file of gray values.

    Args:
        pixels: (height, width), or packed rows of less than 8 or of 12 bits, if `bits` says so.
        photometric: 0 counts from white, 1 from black.
    """
    bits = bits or pixels.dtype.itemsize * 8
    pixels = pixels.astype(pixels.dtype.newbyteorder(order))
    height, width = len(pixels), pixels.shape[1] * pixels.dtype.itemsize * 8 // bits

    def number(value: int, kind: int = 4) -> tuple[int, int, bytes]:
        return kind, 1, struct.pack(order + ("H" if kind == 3 else "I"), value)

    entries = {
        256: number(width),
        257: number(height),
        258: number(bits, 3),
        259: number(1, 3),
        262: number(photometric, 3),
        273: number(0),
        277: number(1, 3),
        278: number(height),
        279: number(pixels.nbytes),
        339: number({"f": 3, "i": 2}.get(pixels.dtype.kind, 1), 3),
    }
    return tags(entries | (more or {}), order, pixels.tobytes())
