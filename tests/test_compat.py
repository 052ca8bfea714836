"""timm can be imported whether torchvision fits torch or not, and without PyTorch's compiler."""

import subprocess
import sys

import pytest


def test_package_imports_in_a_new_process():
    subprocess.run([sys.executable, "-c", "import capmodel.compat, timm, torchvision"], check=True, timeout=120)


def test_the_compiler_is_imported_by_those_who_compile():
    code = """
import sys
import torch
import capmodel.captioner, timm, torchvision
assert not [name for name in sys.modules if name.startswith(("torch._dynamo", "torch._inductor"))]
compiled = torch.compile(lambda numbers: numbers + 1, backend="eager")
assert compiled(torch.zeros(2)).tolist() == [1, 1]
assert torchvision.ops.roi_align.__globals__["is_compile_supported"]("cpu")
assert "torch._dynamo.eval_frame" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(
    "asks", ["from torch._dynamo.utils import counters as asked", "import torch._dynamo.config as asked"]
)
def test_whoever_asks_for_more_of_the_compiler_gets_it(asks):
    """As the next version of timm may."""
    code = f"""
import sys
from capmodel.compat import without_compiler
assert "torch._dynamo" not in sys.modules
with without_compiler():
    import torch
    torch.compiler.disable(print)
    assert "torch._dynamo.eval_frame" not in sys.modules
    {asks}
    assert sys.modules["torch._dynamo"].__file__
assert asked is not None and "torch._dynamo.eval_frame" in sys.modules
assert torch.compile(lambda numbers: numbers + 1, backend="eager")(torch.zeros(2)).tolist() == [1, 1]
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_imports_run_one_way():
    code = "import sys, capmodel; print([n for n in sys.modules if n.split('.')[0] in ('train', 'app', 'gradio')])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]"


def test_a_torchvision_without_operators_is_mended(tmp_path):
    """Stands in for the CUDA wheel beside a CPU torch: registering a fake kernel for `nms` fails there."""
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import torch\n@torch.library.register_fake('torchvision::nms')\ndef nms(dets, scores, iou_threshold): ...\n"
    )
    (tmp_path / "timm.py").touch()  # compat imports it next, which asks more of torchvision than is there
    stand_in = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
    broken = subprocess.run([sys.executable, "-c", stand_in + "import torchvision"], capture_output=True, text=True)
    assert "torchvision::nms does not exist" in broken.stderr
    mend = "import runpy; compat = runpy.run_path('capmodel/compat.py'); import torchvision; print('fine')"
    mended = subprocess.run([sys.executable, "-c", stand_in + mend], capture_output=True, text=True)
    assert mended.stdout == "fine\n", mended.stderr
