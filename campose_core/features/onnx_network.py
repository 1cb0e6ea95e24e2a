"""Networks that come with campose, as ONNX files in weights/, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from campose_core.errors import MissingDependency
from campose_core.extras import load_extra


def open_network(path: Path, inputs: Collection[str]) -> Any:
    """Return an InferenceSession of the file, on one thread.

    Several threads would add in another order, and take the core that the robot's other programs run on.
    inputs: the names of what it takes.

    Raises:
        MissingDependency: ONNX Runtime is not installed; or the file is missing, damaged or of another network.
    """
    runtime = load_extra("onnxruntime", "robot")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # it writes on the terminal what it raises as well
    try:
        network = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no class in common
        raise MissingDependency(f"{path} is missing or damaged, it is no network: install campose_ros again") from error
    if {one.name for one in network.get_inputs()} != set(inputs):
        raise MissingDependency(f"{path} is damaged, it is another network: install campose_ros again")
    return network
