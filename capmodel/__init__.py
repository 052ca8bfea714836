"""Image captioning that shows where it looked, word by word."""

from . import compat  # noqa: F401  (first: it mends the import of timm)
from .captioner import Caption, Captioner, Word
from .decoding import DecodeOptions
from .model import CaptionModel, ModelConfig
from .photos import PhotoError

__all__ = ["Caption", "CaptionModel", "Captioner", "DecodeOptions", "ModelConfig", "PhotoError", "Word"]
