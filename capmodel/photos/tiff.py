"""Pixels of TIFF files that Pillow decodes, but does not know or shows as a negative."""

from PIL import Image, TiffImagePlugin

_WHITE_IS_ZERO = 0
_LITTLE, _BIG = b"II", b"MM"
# (byte order, color, sample format, fill order, bits per sample, extra samples) -> mode, raw mode
_MORE_PIXELS = {
    (_BIG, 0, (1,), 1, (16,), ()): ("I;16B", "I;16B"),
    (_LITTLE, 0, (1,), 1, (12,), ()): ("I;16", "I;12"),
    (_BIG, 1, (1,), 1, (12,), ()): ("I;16", "I;12"),
    (_BIG, 0, (1,), 1, (12,), ()): ("I;16", "I;12"),
    **{(_LITTLE, color, (3,), 1, (64,), ()): ("F", "F;64F") for color in (0, 1)},
    **{(_BIG, color, (3,), 1, (64,), ()): ("F", "F;64BF") for color in (0, 1)},
}
for _key, _modes in _MORE_PIXELS.items():
    TiffImagePlugin.OPEN_INFO.setdefault(_key, _modes)


def is_negative(image: Image.Image) -> bool:
    """Whether the pixels of a TIFF file count from white, and Pillow leaves them so."""
    return (
        isinstance(image, TiffImagePlugin.TiffImageFile)
        and image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO
        and (image.mode == "F" or image.mode.startswith("I"))
    )


def bits_per_sample(image: Image.Image) -> int:
    """Of a TIFF file's first channel; 16 for other files."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return 16
    return image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))[0]
