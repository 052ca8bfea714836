"""One loader for all photos: turns whatever people have into plain sRGB pixels."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np
from PIL import Image

from capmodel.photos import gif, jpeg, png
from capmodel.photos.arrays import is_array, to_pixels
from capmodel.photos.colors import to_rgb
from capmodel.photos.errors import NOT_A_PHOTO, PhotoError
from capmodel.photos.formats import readable_formats
from capmodel.photos.quiet import without_pillow_warnings
from capmodel.photos.sources import FileSource, PhotoSource, read_file

MAX_PIXELS = 100_000_000
# JPEG's draft mode is quicker and needs less memory, but browsers, which caption with the same network, have none, and
# its other pixels change a caption now and then. So it is for photos that are larger than a phone's or a camera's of
# "24 megapixels", which are up to 24.5 million pixels.
DRAFT_ABOVE = 25_000_000
DAMAGED = "This file is damaged or cut short, so it cannot be read as a photo."
CLOSED = "This image cannot be read; it may be closed."
UNREADABLE = "This array cannot be read; give one of NumPy, (height, width, 3) of uint8."
RARE = "This photo is damaged or of a rare kind; open it in another program and save it as JPEG or PNG."
SIGNATURES = (jpeg.SIGNATURE, png.SIGNATURE, *gif.SIGNATURES, b"II*\0", b"MM\0*")  # no other files begin so


def load_photo(source: PhotoSource, at_least: int | None = None, most_side: int | None = None) -> np.ndarray:
    """Loads a photo upright, in sRGB, with transparency over white.

    Args:
        source: a path; an encoded file as bytes, bytearray or memoryview, or open in binary mode; a PIL image; or an
            array or tensor of uint8, uint16, bool or float (0..1). An array is (height, width) or (height, width, 1, 3
            or 4), or has its channels first. An animation gives its first frame. Files must be in one of `FORMATS`, or
            HEIC, which needs pillow-heif. A pipe is read to its end.
        at_least: shrink large photos, to no less than this many pixels on either side. JPEGs of more than 25 million
            pixels are shrunk while they are decoded, which is much faster.
        most_side: refuse pictures whose longer side has more pixels, before they are decoded.

    Returns:
        RGB pixels, uint8 (height, width, 3).

    Raises:
        PhotoError: the photo is missing, empty, truncated, not a photo, or has more than
            100 million pixels; or the source is of another type.
    """
    pixels = is_array(source) or isinstance(source, np.ndarray)
    otherwise = UNREADABLE if pixels else CLOSED if isinstance(source, Image.Image) else DAMAGED
    with _photo_errors(otherwise):
        if pixels:
            image = Image.fromarray(to_pixels(source))
        elif isinstance(source, Image.Image):
            image = source
        else:
            image = _open(read_file(cast(FileSource, source)))
        _check_size(image, most_side)
        if at_least and image is not source and image.width * image.height > DRAFT_ABOVE:  # not the caller's own image
            image.draft(None, (at_least, at_least))  # JPEG only: decodes at 1/2, 1/4 or 1/8
        image.load()
        return np.array(to_rgb(image, at_least))


def squash(photo: np.ndarray, size: int, interpolation: str = "bicubic") -> np.ndarray:
    """Resizes a whole photo (height, width, 3) to a square (size, size, 3), whatever its shape.

    Nothing is cropped, so cell (row, column) of a grid over the square covers the same
    fraction of the photo's own height and width.
    """
    if photo.shape[:2] == (size, size):
        return photo
    return np.array(Image.fromarray(photo).resize((size, size), Image.Resampling[interpolation.upper()]))


def load_square(source: PhotoSource, size: int, interpolation: str = "bicubic") -> np.ndarray:
    """Loads a photo as a network sees it: RGB uint8 (size, size, 3), the whole photo squashed into a square.

    Raises:
        PhotoError: as for `load_photo`.
    """
    return squash(load_photo(source, at_least=size), size, interpolation)


@contextmanager
def _photo_errors(otherwise: str) -> Iterator[None]:
    """Turns whatever goes wrong into a `PhotoError`."""
    try:
        with without_pillow_warnings():
            yield
    except PhotoError:
        raise
    except Image.DecompressionBombError as error:
        raise PhotoError(_too_large()) from error
    # On damaged files, the many decoders raise errors of almost any kind.
    except Exception as error:
        raise PhotoError(otherwise) from error


def _open(data: bytes) -> Image.Image:
    profile = None
    if data.startswith(png.SIGNATURE):
        data, profile = png.clean_png(data)
    elif data.startswith(gif.SIGNATURES):
        data = gif.clean_gif(data)
    formats = readable_formats(data)
    try:
        image = _open_jpeg(data) if data.startswith(jpeg.SIGNATURE) else Image.open(io.BytesIO(data), formats=formats)
    except Image.UnidentifiedImageError as error:
        raise PhotoError(RARE if data.startswith(SIGNATURES) else NOT_A_PHOTO) from error
    if profile:
        image.info["icc_profile"] = profile
    return image


def _open_jpeg(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=["JPEG"])
    except Exception:
        return Image.open(io.BytesIO(jpeg.clean_jpeg(data)), formats=["JPEG"])


def _check_size(image: Image.Image, most_side: int | None = None) -> None:
    if most_side and max(image.size) > most_side:
        raise PhotoError(f"This picture is more than {most_side} pixels wide or high; please make it smaller.")
    if image.width * image.height > MAX_PIXELS:
        raise PhotoError(_too_large())
    if not image.width * image.height:
        raise PhotoError("This image has no pixels.")


def _too_large() -> str:
    return f"This photo has more than {MAX_PIXELS // 1_000_000} million pixels; please make it smaller."
