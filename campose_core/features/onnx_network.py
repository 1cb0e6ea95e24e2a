"""Networks that come with campose, as ONNX files in weights/, run by ONNX Runtime."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from campose_core.errors import MissingDependency
from campose_core.extras import load_extra

SUMS = Path(__file__).parent / "weights" / "SHA256SUMS"  # as `sha256sum` writes it


def open_network(path: Path) -> Any:
    """Return an InferenceSession of the file, on one thread.

    Several threads would add in another order, and take the core that the robot's other programs run on.

    Raises:
        MissingDependency: ONNX Runtime is not installed; or the file is missing, damaged (a weight with one bit turned
            would run, and find other features) or of another network.
    """
    runtime = load_extra("onnxruntime", "robot")
    try:
        data, sums = path.read_bytes(), SUMS.read_text().splitlines()
    except OSError as error:
        raise MissingDependency(f"{error.filename} is missing: install campose_ros again") from error
    if f"{hashlib.sha256(data).hexdigest()}  {path.name}" not in sums:
        raise MissingDependency(f"{path} is damaged: install campose_ros again")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # it writes on the terminal what it raises as well
    try:
        return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no class in common
        reason = str(error).partition("\n")[0]
        raise MissingDependency(f"ONNX Runtime {runtime.__version__} cannot run {path}: {reason}") from error
