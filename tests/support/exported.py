"""ONNX Runtime, to run what `capmodel.browser` exports."""

import json
from pathlib import Path

import numpy as np
import onnxruntime


class Exported:
    """A folder with exported graphs."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.description = json.loads((folder / "captioner.json").read_text(encoding="utf-8"))
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}

    def run(self, graph: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        if graph not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            self._sessions[graph] = onnxruntime.InferenceSession(self.folder / f"{graph}.onnx", options)
        session = self._sessions[graph]
        return dict(zip([output.name for output in session.get_outputs()], session.run(None, inputs), strict=True))
