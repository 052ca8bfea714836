"""Lets timm be imported beside a torchvision that was built for another torch.

The registry's torchvision wheel is built for CUDA. Beside a CPU-only torch its
C++ library does not load, its operators are never registered, and ``import
torchvision`` (which timm does) dies with ``operator torchvision::nms does not
exist``. timm's ResNets and DenseNets call none of those operators: declaring
the two that torchvision's Python code looks up at import is enough.

``capmodel.model`` and ``train`` import this module before anything in them imports timm. Where torchvision is healthy
it changes nothing.
"""

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_library: torch.library.Library | None = None  # the operators live only as long as this object


def declare_missing_operators() -> bool:
    """Declares torchvision's ``nms`` and ``qnms`` if importing it would fail for want of them.

    Returns True if they were missing and are now declared (without a kernel: calling them
    still fails), False if nothing had to be done.
    """
    global _library
    try:
        import torchvision  # noqa: F401  (a healthy one registers its operators itself)

        return False
    except ImportError:  # no torchvision at all: timm will say so in its own words
        return False
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    # "DEF" may be opened once a process, hence the check above rather than an early declaration.
    _library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        _library.define(name + _SCHEMA)
    return True


declare_missing_operators()
