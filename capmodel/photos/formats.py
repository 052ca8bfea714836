"""Which file formats are read."""

import io
import struct
from contextlib import suppress

from PIL import Image

from capmodel.photos.errors import PhotoError

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
START = 4096  # bytes that `may_be_photo` judges by


def may_be_photo(start: bytes) -> bool:
    """Whether `load_photo` might read a file with this beginning; True if the beginning does not decide it.

    Args:
        start: the first 4096 bytes, or the whole file if it is shorter.
    """
    if start[4:8] == b"ftyp":  # HEIC, HEIF, AVIF
        return True
    Image.preinit()
    for name in FORMATS:
        if name not in Image.OPEN:
            Image.init()  # loads the rarer formats, too
        if name not in Image.OPEN:  # this Pillow was built without it
            continue
        factory, accept = Image.OPEN[name]
        with suppress(SyntaxError, IndexError, TypeError, ValueError, struct.error, OSError):
            # TGA has no signature: its header decides.
            if accept(start[:16]) if accept else factory(io.BytesIO(start), ""):
                return True
    return False


def readable_formats(data: bytes) -> tuple[str, ...]:
    """The formats to try for a file.

    Raises:
        PhotoError: it is HEIC, and pillow-heif is missing.
    """
    if data[4:8] == b"ftyp" and data[8:12] not in (b"avif", b"avis"):
        _register_heif()
    return (*FORMATS, HEIF) if HEIF in Image.OPEN else FORMATS


def _register_heif() -> None:
    # Imported only for a HEIC file: it loads a large codec library.
    try:
        import pillow_heif
    except ImportError as error:
        raise PhotoError("HEIC photos need the package pillow-heif, which is not installed.") from error
    pillow_heif.register_heif_opener()
