"""Backbone and decoder as one network, and the folder that it is saved in."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .backbone import GridEncoder
from .decoder import Decoder

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.model"


@dataclass(frozen=True)
class ModelConfig:
    """Everything that is needed to build the network that a file of weights belongs to.

    Attributes:
        backbone: a timm ResNet or DenseNet.
        image_size: side of the square photo, in pixels.
        vocabulary: number of sub-words.
        hidden: size of the LSTM and of the embeddings.
        attention: size of the space in which grid and decoder state are compared.
        normalizer: how attention scores become weights: "softmax", "sparsemax" or "hard".
        dropout: in training.
    """

    backbone: str = "resnet26d"
    image_size: int = 256
    vocabulary: int = 4000
    hidden: int = 512
    attention: int = 256
    normalizer: str = "softmax"
    dropout: float = 0.3


class CaptionModel(nn.Module):
    """A photo and the caption so far -> the next token.

    Shapes: B photos, K captions a photo, T tokens, S image size, L cells, D channels, V vocabulary.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.encoder = GridEncoder(config.backbone, image_size=config.image_size)
        self.decoder = Decoder(
            channels=self.encoder.channels,
            vocabulary=config.vocabulary,
            hidden=config.hidden,
            attention=config.attention,
            normalizer=config.normalizer,
            dropout=config.dropout,
        )

    def forward(self, pixels: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """RGB pixels (B, 3, S, S) in 0..255, tokens (B, K, T) -> logits (B, K, T, V), weights (B, K, T, L)."""
        return self.decoder(self.encoder(pixels), tokens)

    def save(self, folder: Path) -> None:
        """Writes ``config.json`` and ``model.safetensors``.

        Matrices are stored as fp16. Vectors stay fp32: they are few, and BatchNorm's variances
        can be smaller than fp16 resolves.
        """
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG).write_text(json.dumps(asdict(self.config), indent=2) + "\n")
        weights = {
            name: (value.half() if value.is_floating_point() and value.ndim > 1 else value).contiguous()
            for name, value in self.state_dict().items()
        }
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})

    @classmethod
    def load(cls, folder: Path) -> "CaptionModel":
        """Reads what `save` wrote, as an fp32 network in eval mode.

        Raises:
            FileNotFoundError: a file is missing in the folder.
            ValueError: the configuration has unknown or missing fields.
            RuntimeError: the weights do not fit the configuration.
        """
        for name in (CONFIG, WEIGHTS):
            if not (folder / name).is_file():
                raise FileNotFoundError(f"{folder} is not a model folder: it has no {name}.")
        try:
            config = ModelConfig(**json.loads((folder / CONFIG).read_text()))
        except TypeError as error:
            raise ValueError(f"{folder / CONFIG} is not a configuration of this version: {error}") from error
        model = cls(config)
        model.load_state_dict(load_file(folder / WEIGHTS), strict=True)
        return model.to(memory_format=torch.channels_last).eval()
