"""One loader for all photos: turns a path, bytes, a PIL image or an array into plain sRGB pixels."""

import io
import os
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

MAX_PIXELS = 100_000_000
# fmt: off
# The formats accepted, whatever a file's name. By default Pillow would try some 40: it runs EPS through an external
# program, Ghostscript, and damaged files do harm in rarely used decoders. These are the formats of cameras, phones,
# browsers, scanners and paint programs; all are decoded within this process.
FORMATS = (
    "JPEG",  # also MPO, several pictures in one file, from some phones and cameras
    "PNG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "JPEG2000", "AVIF", "DIB", "ICO", "PCX", "QOI", "SGI", "TGA",
)
# fmt: on
HEIF = "HEIF"  # also accepted, once pillow-heif has registered it

PhotoSource = str | os.PathLike | bytes | Image.Image | np.ndarray


class PhotoError(ValueError):
    """A photo cannot be used; the message says why in one plain sentence."""


def load_photo(source: PhotoSource, at_least: int | None = None) -> np.ndarray:
    """Loads a photo upright, in sRGB, with transparency over white.

    Args:
        source: a path, an encoded file as bytes, a PIL image, or an array (height, width) or
            (height, width, 1, 3 or 4) of uint8, uint16, bool or float (0..1). An animation gives
            its first frame. Files must be in one of `FORMATS`, or HEIC, which needs pillow-heif.
        at_least: shrink large photos during decoding, to no less than this many pixels on
            either side. Much faster for large JPEGs.

    Returns:
        RGB pixels, uint8 (height, width, 3).

    Raises:
        PhotoError: the photo is missing, empty, truncated, not a photo, or has more than
            100 million pixels.
    """
    try:
        if isinstance(source, np.ndarray):
            image = _from_array(source)
        elif isinstance(source, Image.Image):
            image = source
        else:
            image = _open(source)
        _check_size(image)
        if at_least and image is not source:  # the caller's own image stays unchanged
            image.draft(None, (at_least, at_least))  # JPEG only: decodes at 1/2, 1/4 or 1/8
        image.load()
        return np.array(_to_rgb(image, at_least))
    except PhotoError:
        raise
    except Image.DecompressionBombError as error:
        raise PhotoError(_too_large()) from error
    # On damaged files, the many decoders raise errors of almost any kind.
    except Exception as error:
        raise PhotoError("This file is damaged or cut short, so it cannot be read as a photo.") from error


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


def may_be_photo(start: bytes) -> bool:
    """Whether `load_photo` might read a file with this beginning; True if the beginning does not decide it.

    Args:
        start: the first 4096 bytes, or the whole file if it is shorter.
    """
    if start[4:8] == b"ftyp":  # HEIC, HEIF, AVIF
        return True
    Image.init()
    for name in FORMATS:
        if name not in Image.OPEN:  # this Pillow was built without it
            continue
        factory, accept = Image.OPEN[name]
        with suppress(SyntaxError, IndexError, TypeError, ValueError, struct.error, OSError):
            # TGA has no signature: its header decides.
            if accept(start[:16]) if accept else factory(io.BytesIO(start), ""):
                return True
    return False


def _too_large() -> str:
    return f"This photo has more than {MAX_PIXELS // 1_000_000} million pixels; please make it smaller."


def _open(source: str | os.PathLike | bytes) -> Image.Image:
    if isinstance(source, bytes):
        data = source
    else:
        path = Path(source)
        if not path.exists():
            raise PhotoError("This file does not exist.")
        if not path.is_file():
            raise PhotoError("This is a folder, not a photo.")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise PhotoError("This file could not be opened for reading.") from error
    if not data:
        raise PhotoError("This file is empty.")
    if data[4:8] == b"ftyp" and data[8:12] not in (b"avif", b"avis"):
        _register_heif()
    formats = (*FORMATS, HEIF) if HEIF in Image.OPEN else FORMATS
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except Image.UnidentifiedImageError as error:
        raise PhotoError("This file is not a photo in a format that can be read.") from error


def _register_heif() -> None:
    # Imported only for a HEIC file: it loads a large codec library.
    try:
        import pillow_heif
    except ImportError as error:
        raise PhotoError("HEIC photos need the package pillow-heif, which is not installed.") from error
    pillow_heif.register_heif_opener()


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise PhotoError(_too_large())


def _from_array(array: np.ndarray) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or not array.size:
        raise PhotoError(f"An array of shape {array.shape} is not a photo; (height, width, 3) is.")
    return Image.fromarray(_to_uint8(array))


def _to_uint8(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype.kind == "f":  # 0..1 by convention; a TIFF may hold 0..255 or any other range
        array = np.nan_to_num(array)
        top = array.max(initial=0)
        scale = 255 if top <= 1 else 1 if top <= 255 else 255 / top
        return (array.clip(0) * scale).round().astype(np.uint8)
    if array.dtype.kind in "ui":  # 16 bits, even in a wider type
        return (array.clip(0, 65535) >> 8).astype(np.uint8) if array.max(initial=0) > 255 else array.astype(np.uint8)
    raise PhotoError(f"An array of {array.dtype} is not a photo; uint8 is.")


def _to_rgb(image: Image.Image, at_least: int | None) -> Image.Image:
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_to_uint8(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    if at_least:
        image = image.reduce(max(1, min(image.size) // at_least))
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    color = _to_srgb(image.convert("RGB") if alpha else image, profile)
    if alpha:
        white = Image.new("RGB", color.size, "white")
        white.paste(color, mask=alpha)
        return white
    return color


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if converted is not None:
                return converted
        # A broken profile, or one for another color mode: use the photo without it.
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return image.convert("RGB")
