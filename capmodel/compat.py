"""Makes timm importable beside a torchvision that was built for another torch, and quickly.

The registry's torchvision wheel is built for CUDA. Beside a CPU-only torch its
C++ library does not load, its operators are never registered, and ``import
torchvision``, which timm runs, fails with ``operator torchvision::nms does not
exist``. timm's ResNets and DenseNets call none of those operators, so it is enough
to declare the two that torchvision's Python code looks up on import.

Both packages also import PyTorch's compiler, which nothing here uses.

``capmodel.model`` and ``train`` import this module before they use timm. If torchvision works, it declares nothing.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_library: torch.library.Library | None = None  # the operators exist only as long as this object


def declare_missing_operators() -> bool:
    """Declares torchvision's ``nms`` and ``qnms`` if importing it would fail without them.

    Returns True if they were missing and are now declared (without a kernel: calling them
    still fails), False if there was nothing to do.
    """
    global _library
    try:
        import torchvision  # noqa: F401  (a working one registers its operators itself)

        return False
    except ImportError:  # no torchvision at all: timm reports this itself
        return False
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    # A process may open "DEF" only once, hence the check above rather than an early declaration.
    _library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        _library.define(name + _SCHEMA)
    return True


@contextmanager
def without_compiler() -> Iterator[None]:
    """Keeps torch._dynamo, PyTorch's compiler, from being imported.

    On import, torchvision only asks it for a function that it will not call, and timm marks methods of NaFlexViT, which
    is none of our backbones, as not to be compiled. Who compiles something later imports the compiler then.
    """
    if "torch._dynamo" in sys.modules:
        yield
        return
    stand_ins = {name: ModuleType(name) for name in ("torch._dynamo", "torch._dynamo.utils")}
    stand_ins["torch._dynamo"].disable = _as_it_is  # pyright: ignore[reportAttributeAccessIssue]
    stand_ins["torch._dynamo.utils"].is_compile_supported = _is_compile_supported  # pyright: ignore[reportAttributeAccessIssue]
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


def _as_it_is(function: Callable | None = None, *_: Any, **__: Any) -> Callable:
    return function or _as_it_is


def _is_compile_supported(device_type: str) -> bool:
    from torch._dynamo.utils import is_compile_supported  # by now the real one

    return is_compile_supported(device_type)


with without_compiler():
    declare_missing_operators()
    import timm  # noqa: F401
