"""One loader for all photos: whatever people have becomes upright sRGB pixels, or one plain sentence."""

from capmodel.photos.errors import PhotoError
from capmodel.photos.formats import FORMATS, HEIF, may_be_photo
from capmodel.photos.loading import MAX_PIXELS, load_photo, load_square, squash
from capmodel.photos.sources import PhotoSource, each_photo, is_one_photo, read_file

__all__ = [
    "FORMATS",
    "HEIF",
    "MAX_PIXELS",
    "PhotoError",
    "PhotoSource",
    "each_photo",
    "is_one_photo",
    "load_photo",
    "load_square",
    "may_be_photo",
    "read_file",
    "squash",
]
