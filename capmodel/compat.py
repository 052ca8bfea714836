"""Makes timm importable beside a torchvision that was built for another torch.

The registry's torchvision wheel is built for CUDA. Beside a CPU-only torch its
C++ library does not load, its operators are never registered, and ``import
torchvision``, which timm runs, fails with ``operator torchvision::nms does not
exist``. timm's ResNets and DenseNets call none of those operators, so it is enough
to declare the two that torchvision's Python code looks up on import.

This module is imported before timm, here and in ``train``. If torchvision works, it changes nothing.
"""

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


declare_missing_operators()
