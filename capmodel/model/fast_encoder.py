"""The backbone for inference: the same network, in fewer and cheaper steps.

BatchNorms, sums and ReLUs are fused into the convolutions before them. Where the processor supports bfloat16, the network
uses it, which is more than twice as fast and rounds every number to 8 binary digits. The grid then differs by about
2 %, and when captions score nearly the same, another one may win.
"""

import copy
import weakref
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.experimental.optimization import fuse

from capmodel.model.backbone import GridEncoder
from capmodel.model.fused_convolutions import fuse_convolutions, has_kernels
from capmodel.model.prepared import Prepared
from capmodel.precision import PRECISIONS


def has_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16 (AVX512-BF16 or AMX); others only emulate it, slowly."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


class FastEncoder:
    """Encodes like a `GridEncoder`, without gradients; the encoder itself stays unchanged.

    The prepared network is cached, and prepared again when the weights or their device change.

    Args:
        precision: "fp32", "bf16", or "auto": bf16 on processors that support it, else fp32.

    Raises:
        ValueError: there is no such precision.
    """

    def __init__(self, encoder: GridEncoder, precision: str = "auto"):
        if precision not in PRECISIONS:
            raise ValueError(f"There is no precision {precision!r}; choose from {', '.join(PRECISIONS)}.")
        self.encoder = encoder
        self.precision = precision

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> Tensor:
        """RGB pixels (B, 3, S, S) in 0..255 -> grid (B, L, D) in fp32, cells row by row from the top left."""
        device = self.encoder.mean.device
        dtype = torch.bfloat16 if self._uses_bfloat16(device) else torch.float32
        maps = _prepared(self.encoder, dtype)(self._normalize(pixels.to(device)).to(dtype))  # (B, D, side, side)
        return maps.flatten(2).transpose(1, 2).float()

    def _normalize(self, pixels: Tensor) -> Tensor:
        """As the encoder's, but channels_last, by whole rows: PyTorch is slow with only three numbers at a time."""
        rows = pixels.permute(0, 2, 3, 1).flatten(2)  # (B, S, 3S)
        mean, std = (value.flatten().repeat(pixels.shape[-1]) for value in (self.encoder.mean, self.encoder.std))
        return ((rows.to(mean.dtype) - mean) / std).unflatten(2, (-1, 3)).permute(0, 3, 1, 2)

    def _uses_bfloat16(self, device: torch.device) -> bool:
        if self.precision == "auto":
            return device.type == "cpu" and has_bfloat16()
        return self.precision == "bf16"


class _Features(nn.Module):
    """A timm network up to its last feature map."""

    def __init__(self, network: Any):
        super().__init__()
        self.network: Any = network

    def forward(self, inputs: Tensor) -> Tensor:
        return self.network.forward_features(inputs)


# Captioners that share an encoder share its prepared networks.
_networks: weakref.WeakKeyDictionary[GridEncoder, dict[torch.dtype, Prepared]] = weakref.WeakKeyDictionary()


def _prepared(encoder: GridEncoder, dtype: torch.dtype) -> nn.Module:
    networks = _networks.setdefault(encoder, {})
    if dtype not in networks:
        networks[dtype] = Prepared(lambda changed: _convert(changed, dtype))
    return networks[dtype].get(encoder)


def _convert(encoder: GridEncoder, dtype: torch.dtype) -> nn.Module:
    # PyTorch's types leave memory_format out.
    network = _fused(encoder).to(dtype, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    on_processor = encoder.mean.device.type == "cpu" and (dtype == torch.float32 or has_bfloat16())
    if isinstance(network, fx.GraphModule) and on_processor and has_kernels():
        return fuse_convolutions(network, torch.zeros(1, 3, encoder.image_size, encoder.image_size, dtype=dtype))
    return network


def _fused(encoder: GridEncoder) -> nn.Module:
    """A copy of the network in eval mode, with BatchNorms fused if PyTorch can trace it."""
    network = copy.deepcopy(_Features(encoder.network)).eval()
    try:
        return fuse(network)
    # Tracing runs the network's Python code on proxies for tensors. Code that asks for their size or values may fail
    # with almost any error; the unfused network is correct, too.
    except Exception:
        return network
