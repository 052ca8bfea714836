"""Keeps JPEG files to what makes the picture, so that a damaged side segment spoils nothing.

Browsers skip such segments; Pillow refuses the whole file. https://www.w3.org/Graphics/JPEG/itu-t81.pdf, annex B
"""

from collections.abc import Iterator

SIGNATURE = b"\xff\xd8\xff"
_TEMPORARY, _START_OF_SCAN, _COMMENT = 0x01, 0xDA, 0xFE
_WITHOUT_LENGTH = range(0xD0, 0xD8)  # restart markers
_SIDE_SEGMENTS = range(0xE0, 0xF0)  # APP0 to APP15
# By marker: how the content of segments begins that change the picture, and how long it must be.
_NEEDED = {
    0xE0: ((b"JFIF\0", 14),),
    0xE1: ((b"Exif\0\0", 14), (b"http://ns.adobe.com/xap/1.0/\0", 29)),  # both may hold the orientation
    0xE2: ((b"ICC_PROFILE\0", 14),),
    0xEE: ((b"Adobe", 12),),  # which colors the channels hold
}


def clean_jpeg(data: bytes) -> bytes:
    """Leaves out side segments before the picture that do not change it or are too short for what they say they are.

    Further pictures of the file, such as a depth map, are no longer found, because the list of them goes, too.

    Args:
        data: a JPEG file. From the first damage in the main segments on, it stays as it is.
    """
    view = memoryview(data)
    kept, start = [], 0
    for marker, begin, end in _segments(data):
        is_side = marker in _SIDE_SEGMENTS and not _is_needed(marker, view[begin + 4 : end])
        if is_side or marker in (_TEMPORARY, _COMMENT):
            kept.append(view[start:begin])
            start = end
    return b"".join([*kept, view[start:]]) if kept else data


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The marker, first byte and end of each segment before the compressed picture, up to the first damage."""
    at = 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        marker = data[at + 1]
        if marker == 0xFF:  # a byte to fill up
            at += 1
            continue
        if marker == _TEMPORARY or marker in _WITHOUT_LENGTH:
            end = at + 2
        elif marker < 0xC0 or marker == _START_OF_SCAN:
            return
        else:
            end = at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
        if end > len(data):
            return
        yield marker, at, end
        at = end


def _is_needed(marker: int, content: memoryview) -> bool:
    return any(
        len(content) >= shortest and bytes(content[: len(start)]) == start
        for start, shortest in _NEEDED.get(marker, ())
    )
