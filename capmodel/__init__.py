"""Image captioning that shows where it looked, word by word."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capmodel.caption import Caption, CaptionedPhoto, Evidence, Word
    from capmodel.captioner import Captioner
    from capmodel.decoding.options import DecodeOptions
    from capmodel.model.caption_model import CaptionModel, ModelConfig
    from capmodel.photos import PhotoError

# Imported on first use: drawing a caption needs no PyTorch, which takes seconds to import.
_MODULES = {
    "Caption": "caption",
    "CaptionModel": "model.caption_model",
    "CaptionedPhoto": "caption",
    "Captioner": "captioner",
    "DecodeOptions": "decoding.options",
    "Evidence": "caption",
    "ModelConfig": "model.caption_model",
    "PhotoError": "photos",
    "Word": "caption",
}

__all__ = [
    "Caption",
    "CaptionModel",
    "CaptionedPhoto",
    "Captioner",
    "DecodeOptions",
    "Evidence",
    "ModelConfig",
    "PhotoError",
    "Word",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
