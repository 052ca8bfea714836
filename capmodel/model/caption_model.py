"""Backbone and decoder as one network, and the folder it is saved in."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_type_hints

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from capmodel.model.backbone import GridEncoder, compact
from capmodel.model.decoder import Decoder
from capmodel.model.files import fill, read_settings, read_weights

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.model"
BACKBONE = "encoder."  # prefix of the backbone's weight names


@dataclass(frozen=True)
class ModelConfig:
    """The settings needed to rebuild the network for a file of weights.

    Attributes:
        backbone: a timm ResNet or DenseNet.
        image_size: side of the square photo, in pixels.
        vocabulary: number of sub-words.
        hidden: size of the LSTM and of the embeddings.
        attention_size: dimension of the space in which grid and decoder state are compared.
        normalizer: how attention scores become weights: a name in `NORMALIZERS`.
        dropout: dropout probability in training.
    """

    backbone: str = "resnet26d"
    image_size: int = 256
    vocabulary: int = 4000
    hidden: int = 512
    attention_size: int = 256
    normalizer: str = "softmax"
    dropout: float = 0.3


class CaptionModel(nn.Module):
    """A photo and the caption so far -> the next token.

    Shapes: B photos, K captions per photo, T tokens, S image size, L cells, D channels, V vocabulary.

    Args:
        encoder: an existing backbone to share; None: create one.
    """

    def __init__(self, config: ModelConfig, encoder: GridEncoder | None = None):
        super().__init__()
        self.config = config
        self.encoder = encoder or GridEncoder(config.backbone, image_size=config.image_size)
        self.decoder = Decoder(
            channels=self.encoder.channels,
            vocabulary=config.vocabulary,
            hidden=config.hidden,
            attention_size=config.attention_size,
            normalizer=config.normalizer,
            dropout=config.dropout,
        )

    def forward(self, pixels: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """RGB pixels (B, 3, S, S) in 0..255, tokens (B, K, T) -> logits (B, K, T, V), weights (B, K, T, L)."""
        return self.decoder(self.encoder(pixels), tokens)

    def save(self, folder: Path, base: str | None = None) -> None:
        """Writes ``config.json`` and ``model.safetensors``, with weights from `compact`.

        Args:
            base: the name of a folder beside this one whose model has the same backbone. The backbone
                is then left out here.
        """
        folder.mkdir(parents=True, exist_ok=True)
        settings = {"base": base, **asdict(self.config)} if base else asdict(self.config)
        (folder / CONFIG).write_text(json.dumps(settings, indent=2) + "\n")
        weights = self.state_dict()
        if base:
            weights = {name: value for name, value in weights.items() if not name.startswith(BACKBONE)}
        save_file(compact(weights), folder / WEIGHTS, metadata={"format": "pt"})

    @classmethod
    @torch.inference_mode(False)  # weights created in inference mode could never be trained
    def load(cls, folder: Path, encoder: GridEncoder | None = None) -> "CaptionModel":
        """Reads what `save` wrote, as an fp32 network in eval mode.

        Args:
            encoder: the model's backbone, if already loaded; None: read it, too.

        Raises:
            FileNotFoundError: a file is missing in the folder.
            ValueError: a file is damaged, or the configuration has unknown fields, wrong values or an invalid base.
            RuntimeError: the weights do not fit the configuration.
        """
        settings = _settings(folder)
        base = settings.pop("base", None)
        config = _config(settings, folder / CONFIG)
        weights = read_weights(folder, WEIGHTS)
        if encoder:
            weights |= {f"{BACKBONE}{name}": value for name, value in encoder.state_dict().items()}
        elif base:
            shared = read_weights(base_folder(folder), WEIGHTS)
            weights |= {name: value for name, value in shared.items() if name.startswith(BACKBONE)}
        model = cls(config, encoder)
        fill(model, weights, folder / WEIGHTS)
        # PyTorch's types leave memory_format out.
        return model.to(memory_format=torch.channels_last).eval()  # pyright: ignore[reportCallIssue]


def base_folder(folder: Path) -> Path:
    """The folder with a model's backbone and tokenizer: its own, or that of its base beside it.

    Raises:
        FileNotFoundError: this is not a model folder.
        ValueError: its configuration is damaged, or the base is not the name of a folder.
    """
    base = _settings(folder).get("base")
    if base is None:
        return folder
    if not re.fullmatch(r"[\w-]+", str(base)):  # models may come from strangers: allow no path elsewhere
        raise ValueError(f"{folder / CONFIG} names a base that is not a folder beside it: {base!r}")
    return folder.resolve().parent / base


def _settings(folder: Path) -> dict:
    settings = read_settings(folder, CONFIG)
    if "attention" in settings:  # the name of the field in models saved by version 0.1
        settings["attention_size"] = settings.pop("attention")
    return settings


def _config(settings: dict, path: Path) -> ModelConfig:
    """The configuration from settings read from the file `path`."""
    try:
        config = ModelConfig(**settings)
    except TypeError as error:
        raise ValueError(f"{path} is not a configuration of this version: {error}") from error
    for name, kind in get_type_hints(ModelConfig).items():
        value = getattr(config, name)
        if not isinstance(value, (int, float) if kind is float else kind):
            raise ValueError(f"{path}: {name} must be of type {kind.__name__}, not {value!r}.")
    return config
