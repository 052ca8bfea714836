"""Keeps PNG files to what makes the picture, so that a damaged or huge side chunk spoils nothing.

Browsers skip such chunks; Pillow refuses the whole file. https://www.w3.org/TR/png-3/
"""

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST_TEXT = 1 << 20  # bytes of an uncompressed text that Pillow accepts
LARGEST_PROFILE = 16 << 20  # bytes
# Text that may hold the orientation, by keyword: ImageMagick's way before eXIf existed, and Adobe's.
TEXTS_WITH_ORIENTATION = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")


def clean_png(data: bytes) -> tuple[bytes, bytes | None]:
    """Leaves out side chunks that do not change the picture, are damaged, or are larger than Pillow accepts.

    The chunks of an animation go, too: what is left is its first frame, or the picture that stands in for it.

    Args:
        data: a PNG file. Its main chunks stay as they are, damaged or not.

    Returns:
        The PNG file, and its color profile, which is taken out because Pillow accepts only small ones.
    """
    view = memoryview(data)
    kept, profile = [view[: len(SIGNATURE)]], None
    depth = kind = colors = pixels = 0
    for name, start, end in _chunks(data):
        content = view[start + 8 : end - 4]
        if name == b"IHDR" and len(content) == 13:
            depth, kind = content[8:10]
        elif name == b"PLTE":
            colors = len(content) // 3
        elif name == b"IDAT":
            pixels = pixels or len(kept)  # where they begin
        if name[:1].isupper():  # a main chunk
            kept.append(view[start:end])
        elif end > len(data) or zlib.crc32(content, zlib.crc32(name)).to_bytes(4, "big") != view[end - 4 : end]:
            continue
        elif name == b"iCCP":
            profile = profile or _unpack(bytes(content).partition(b"\0")[2], LARGEST_PROFILE)
        elif name == b"tRNS":
            if not pixels and (transparency := _to_8_bits(bytes(content), depth, kind, colors)):
                kept.append(memoryview(_chunk(name, transparency)))
        elif name == b"eXIf" or (name in (b"tEXt", b"zTXt", b"iTXt") and _tells_orientation(name, content)):
            kept.insert(pixels or len(kept), view[start:end])  # among the pixels it would end them
    return b"".join(kept), profile


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The name, first byte and end of each chunk. What follows a damaged name counts as a main chunk."""
    start, name = len(SIGNATURE), b""
    while start + 8 <= len(data) and name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, start)
        if not name.isalpha():
            yield b"REST", start, len(data)
            return
        yield name, start, start + length + 12
        start += length + 12


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content), name) + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))


def _to_8_bits(transparency: bytes, depth: int, kind: int, colors: int) -> bytes | None:
    """The content of a tRNS chunk as Pillow expects it, which decodes to 8 bits; None if it is invalid."""
    if kind == 3:
        return transparency if 0 < len(transparency) <= colors else None
    if len(transparency) != {0: 2, 2: 6}.get(kind):
        return None
    values = struct.unpack(f">{len(transparency) // 2}H", transparency)
    if kind == 0 and depth in (2, 4):
        values = (values[0] * 255 // (2**depth - 1),)
    elif kind == 2 and depth == 16:
        values = tuple(value >> 8 for value in values)
    return struct.pack(f">{len(values)}H", *(min(value, 65535) for value in values))


def _tells_orientation(name: bytes, content: memoryview) -> bool:
    """Whether a text may hold the orientation, and is no larger than Pillow accepts."""
    if len(content) > LARGEST_TEXT or not bytes(content[:24]).startswith(TEXTS_WITH_ORIENTATION):
        return False
    text = bytes(content).partition(b"\0")[2]
    if name == b"iTXt":
        if text[:1] == b"\0":
            return True
        text = b"\0" + text[2:].split(b"\0", 2)[-1]
    return name == b"tEXt" or _unpack(text, LARGEST_TEXT) is not None


def _unpack(packed: bytes, largest: int) -> bytes | None:
    """Uncompresses what follows a keyword: the method, which is 0, and the data. None if it is damaged or too large."""
    if packed[:1] != b"\0":
        return None
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(packed[1:], largest)
    except zlib.error:
        return None
    return None if unpacker.unconsumed_tail else content
