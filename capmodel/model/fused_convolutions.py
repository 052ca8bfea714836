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

BATCH = 8  # photos for which weights are arranged; with other numbers of photos they are as right, but perhaps slower


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
        shape: of the input for which the weights are arranged.
    """

    def __init__(self, convolution: nn.Conv2d, relu: bool, shape: Sequence[int]):
        super().__init__()
        self._relu = "relu" if relu else None
        self._shape = (convolution.padding, convolution.stride, convolution.dilation, convolution.groups)
        arrange = torch.ops.mkldnn._reorder_convolution_weight
        self._weight = arrange(convolution.weight.detach(), *self._shape, shape)
        self._bias = None if convolution.bias is None else convolution.bias.detach()

    def forward(self, inputs: Tensor, added: Tensor | None = None) -> Tensor:
        """Maps (B, channels, H, W) -> (B, channels of the output, H', W'), the shape of `added`."""
        kernel, layer = torch.ops.mkldnn._convolution_pointwise, (self._weight, self._bias, *self._shape)
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
        if added := _sum_with(_only_user(node), node):
            last, reads = _only_user(node), (*reads, added)
        if relu := isinstance(module_of(_only_user(last)), nn.ReLU):
            last = _only_user(last)
        name = str(node.target).replace(".", "_") + "_fused"
        shape = node.args[0].meta["tensor_meta"].shape
        network.add_module(name, FusedConvolution(convolution, relu, (BATCH, *shape[1:])))
        with graph.inserting_before(last):
            fused = graph.call_module(name, reads)
        fused.meta = last.meta
        last.replace_all_uses_with(fused)
    graph.eliminate_dead_code()
    network.delete_all_unused_submodules()
    network.recompile()
    return network


def _only_user(node: fx.Node | None) -> fx.Node | None:
    """The node that reads this one, if there is exactly one."""
    return next(iter(node.users)) if node and len(node.users) == 1 else None


def _sum_with(node: fx.Node | None, first: fx.Node) -> Any:
    """What a node adds to `first`, if it is a sum of the two."""
    if node and node.op == "call_function" and node.target in (operator.add, operator.iadd):
        one, other = node.args
        return other if one is first and isinstance(other, fx.Node) else None
    return None
