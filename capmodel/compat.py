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
from importlib import import_module
from types import ModuleType
from typing import Any

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_COMPILER, _UTILS = "torch._dynamo", "torch._dynamo.utils"
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


class _StandIn(ModuleType):
    """A module that is imported when somebody asks for more than a few of its functions."""

    def __init__(self, name: str, **functions: Callable):
        super().__init__(name)
        vars(self).update(functions)

    def __getattr__(self, name: str) -> Any:
        # Python and its tools look for such names in every module; that of a package's folder means a module in it is next.
        if name.startswith("__") and (self.__name__, name) != (_COMPILER, "__path__"):
            raise AttributeError(name)
        _remove_stand_ins()
        return getattr(import_module(self.__name__), name)


@contextmanager
def without_compiler() -> Iterator[None]:
    """Does not import torch._dynamo, PyTorch's compiler, for those who only mention it.

    On import, torchvision asks it for a function that it calls when it compiles, and timm marks a method of NaFlexViT,
    which is none of our backbones, as not to be compiled. Whoever asks for more gets the compiler.
    """
    if _COMPILER in sys.modules:
        yield
        return
    sys.modules[_COMPILER] = _StandIn(_COMPILER, disable=_as_it_is)
    sys.modules[_UTILS] = _StandIn(_UTILS, is_compile_supported=_is_compile_supported)
    try:
        yield
    finally:
        _remove_stand_ins()


def _remove_stand_ins() -> None:
    for name in (_COMPILER, _UTILS):
        if isinstance(sys.modules.get(name), _StandIn):
            del sys.modules[name]


def _as_it_is(function: Callable | None = None, *_: Any, **__: Any) -> Callable:
    return function or _as_it_is


def _is_compile_supported(device_type: str) -> bool:
    return import_module(_UTILS).is_compile_supported(device_type)


with without_compiler():
    declare_missing_operators()
    import timm  # noqa: F401
