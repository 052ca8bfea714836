"""Writes a model's ONNX graphs and their description into a folder."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from capmodel.browser import description
from capmodel.browser.graphs import INPUTS, OUTPUTS, EncoderGraph, PrepareGraph, StepGraph, example_inputs
from capmodel.browser.weights import Compact
from capmodel.captioner import Captioner

OPSET = 20  # of ONNX
PHOTOS, CAPTIONS = "photos", "captions"  # names of the axes that are free


def export(name: str, captioners: Sequence[Captioner], folder: Path, small: bool = False) -> list[Path]:
    """Writes ``encoder.onnx``, ``prepare-KIND.onnx`` and ``step-KIND.onnx`` for each captioner, and ``captioner.json``.

    Args:
        name: the model's, for its description.
        captioners: one for each kind of attention, as from `Captioner.family`. They share one encoder.
        folder: made if it does not exist.
        small: weights in 8 bits: half as many bytes, but other captions.

    Returns:
        The files.

    Raises:
        ValueError: the decoders differ in size.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first = captioners[0].model
    if len({(each.model.config.hidden, each.model.config.attention_size) for each in captioners}) > 1:
        raise ValueError("These models differ in size; export each alone with --attention.")
    graphs: dict[str, nn.Module] = {"encoder": EncoderGraph(first.encoder)}
    for captioner in captioners:
        graphs[f"prepare-{captioner.attention_kind}"] = PrepareGraph(captioner.model.decoder)
        graphs[f"step-{captioner.attention_kind}"] = StepGraph(captioner.model.decoder)
    files = []
    for name_of_file, module in graphs.items():
        graph = name_of_file.partition("-")[0]
        files.append(folder / f"{name_of_file}.onnx")
        _export_graph(Compact(module, small), graph, example_inputs(graph, first.encoder, first.decoder), files[-1])
    of_kinds = {captioner.attention_kind: captioner for captioner in captioners}
    content = description.describe(name, of_kinds, folder, small)
    files.append(folder / description.NAME)
    files[-1].write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    return files


def _export_graph(module: nn.Module, graph: str, inputs: Sequence[torch.Tensor], path: Path) -> None:
    import onnx_ir
    from onnxscript.optimizer import optimize_ir

    def may_fold(node: onnx_ir.Node) -> bool | None:
        """Whether a node of constants is replaced by its value: weights must stay as they are stored."""
        return False if node.op_type == "Cast" and node.inputs[0] in weights else None

    axes = [{0: PHOTOS, 1: CAPTIONS} if name in ("tokens", "hidden", "cell") else {0: PHOTOS} for name in INPUTS[graph]]
    sizes = {axis: torch.export.Dim(axis) for axis in (PHOTOS, CAPTIONS)}
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about PyTorch's own code
        program = torch.onnx.export(
            module.eval(),
            tuple(inputs),
            dynamo=True,
            input_names=INPUTS[graph],
            output_names=OUTPUTS[graph],
            dynamic_shapes=(tuple({at: sizes[axis] for at, axis in each.items()} for each in axes),),
            opset_version=OPSET,
            optimize=False,
            verbose=False,
        )
    assert program is not None
    weights = dict.fromkeys(
        program.model.graph.initializers.values()
    )  # in their order, so that files are always the same
    optimize_ir(program.model, should_fold=may_fold)
    for value in weights:
        if value.name:
            value.name = value.name.replace("__", ".")
    program.save(str(path), external_data=False)
