"""Convolutions that also add the shortcut and apply the ReLU, so that no number is written and read again in between.

PyTorch has such kernels (oneDNN's), for its compiler. They need no compiler themselves. They also read weights that are
arranged for them once, which `nn.Conv2d` would arrange again in every call.
"""

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

# Numbers of photos for which weights are arranged: one, and any other. With the wrong ones the kernels are as right, but
# they arrange the weights again in every call, which takes longer than everything else for a single photo.
BATCHES = 1, 8


def has_kernels() -> bool:
    """Whether this PyTorch has the kernels, for this processor (x86 with AVX2)."""
    return (
        torch.backends.mkldnn.is_available()
        and torch.cpu._is_avx2_supported()
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    )


class FusedConvolution(nn.Module):
    """A convolution, then perhaps a sum with another map, then perhaps a ReLU. For inference, on a processor.

    Args:
        convolution: zero-padded by numbers; its weights are copied.
        relu: whether a ReLU follows.
        shape: of the maps that it reads, (channels, H, W), for which the weights are arranged.
    """

    def __init__(self, convolution: nn.Conv2d, relu: bool, shape: Sequence[int]):
        super().__init__()
        self._relu = "relu" if relu else None
        self._shape = (convolution.padding, convolution.stride, convolution.dilation, convolution.groups)
        weight, arrange = convolution.weight.detach(), torch.ops.mkldnn._reorder_convolution_weight
        self._weights = [arrange(weight, *self._shape, (batch, *shape)) for batch in BATCHES]
        self._bias = None if convolution.bias is None else convolution.bias.detach()

    def forward(self, inputs: Tensor, added: Tensor | None = None) -> Tensor:
        """Maps (B, channels, H, W) -> (B, channels of the output, H', W'), the shape of `added`."""
        weight = self._weights[len(inputs) > 1]
        kernel, layer = torch.ops.mkldnn._convolution_pointwise, (weight, self._bias, *self._shape)
        if added is None:
            return kernel(inputs, *layer, self._relu or "none", [], "")
        return kernel.binary(inputs, added, *layer, "add", 1.0, self._relu, [], "")


def fuse_convolutions(network: fx.GraphModule, inputs: Tensor) -> fx.GraphModule:
    """Replaces the convolutions of a traced network, in place, by `FusedConvolution` with what follows them.

    Args:
        inputs: an example of what the network reads, (1, channels, H, W).
    """
    graph, modules = network.graph, dict(network.named_modules())
    ShapeProp(network).propagate(inputs)  # notes each result's shape in its node's `meta`

    def module_of(node: fx.Node | None) -> nn.Module | None:
        return modules.get(str(node.target)) if node and node.op == "call_module" else None

    for node in list(graph.nodes):
        convolution = module_of(node)
        if not isinstance(convolution, nn.Conv2d) or convolution.padding_mode != "zeros":
            continue
        if isinstance(convolution.padding, str):
            continue
        last, reads = node, node.args
        if (total := _only_user(last)) and (added := _sum_with(total, node)):
            last, reads = total, (*reads, added)
        if relu := isinstance(module_of(user := _only_user(last)), nn.ReLU):
            last = user or last
        name, shape = f"{node.name}_fused", node.args[0].meta["tensor_meta"].shape[1:]
        network.add_module(name, FusedConvolution(convolution, relu, shape))
        with graph.inserting_before(last):
            fused = graph.call_module(name, reads)
        fused.meta = last.meta  # its shape, which what follows asks for
        last.replace_all_uses_with(fused)
    graph.eliminate_dead_code()
    network.delete_all_unused_submodules()
    network.recompile()
    return network


def _only_user(node: fx.Node) -> fx.Node | None:
    """The node that reads this one, if there is exactly one."""
    return next(iter(node.users)) if len(node.users) == 1 else None


def _sum_with(node: fx.Node, first: fx.Node) -> Any:
    """What a node adds to `first`, if it is a sum of the two."""
    if node.op == "call_function" and node.target in (operator.add, operator.iadd):
        one, other = node.args
        return other if one is first and isinstance(other, fx.Node) else None
    return None
