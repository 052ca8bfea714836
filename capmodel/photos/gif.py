"""Frees GIF files of empty extensions, behind which Pillow loses its way.

https://www.w3.org/Graphics/GIF/spec-gif89a.txt
"""

SIGNATURES = (b"GIF87a", b"GIF89a")


def clean_gif(data: bytes) -> bytes:
    """Leaves out extensions without content before the first picture."""
    if len(data) < 13:
        return data
    start = 13 + (3 * (2 << (data[10] & 7)) if data[10] & 0x80 else 0)  # behind the palette
    kept = [data[:start]]
    while data[start : start + 1] == b"!":
        end = start + 2
        while size := int.from_bytes(data[end : end + 1]):  # blocks, up to an empty one or the end of the file
            end += 1 + size
        end += 1
        if end - start > 3:
            kept.append(data[start:end])
        start = end
    return b"".join([*kept, data[start:]])
