"""From any mode of Pillow to sRGB, with transparency over white."""

import io

import numpy as np
from PIL import Image, ImageCms

from capmodel.photos.arrays import to_uint8
from capmodel.photos.orientation import to_upright
from capmodel.photos.tiff import bits_per_sample, is_negative


def to_rgb(image: Image.Image, at_least: int | None) -> Image.Image:
    """The image upright, in sRGB, with transparency over white.

    Args:
        image: loaded.
        at_least: shrink it to no less than this many pixels on either side.
    """
    profile = image.info.get("icc_profile")
    bits, negative = bits_per_sample(image), is_negative(image)
    image = to_upright(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = _to_8_bits(image, bits, negative)
    if image.has_transparency_data:
        image = image.convert("LA") if image.mode == "La" else image
        image = image if image.mode == "RGBA" else image.convert("RGBA")
    elif image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    if at_least and (factor := min(image.size) // at_least) > 1:
        image = image.reduce(factor)
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    color = _to_srgb(image.convert("RGB") if alpha else image, profile)
    if alpha:
        white = Image.new("RGB", color.size, "white")
        white.paste(color, mask=alpha)
        return white
    return color


def _to_8_bits(image: Image.Image, bits: int, negative: bool) -> Image.Image:
    """Gray of more than 8 bits in 8 bits, and with alpha if a value stands for transparent."""
    values = np.asarray(image)
    if image.mode.startswith("I;16") and bits == 12:
        values = values << 4
    gray = to_uint8(values)
    result = Image.fromarray(255 - gray if negative else gray)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        result.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return result


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
    return image if image.mode == "RGB" else image.convert("RGB")
