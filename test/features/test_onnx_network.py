"""A network's file that is missing, damaged or of another network is refused by name, with what helps."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed: pip install 'campose_ros[robot]'")

from campose_core.errors import MissingDependency
from campose_core.features import lighterglue, xfeat
from campose_core.features.onnx_network import open_network

WHOLE = xfeat.WEIGHTS.read_bytes()


def flipped(at: int) -> bytes:
    return WHOLE[:at] + bytes([WHOLE[at] ^ 4]) + WHOLE[at + 1 :]


DAMAGES = {
    **{f"cut at {k}/20": WHOLE[: len(WHOLE) * k // 20] for k in range(20)},
    "text": b"a network\n" * 9,
    "zeros": bytes(len(WHOLE)),
    "random": np.random.default_rng(0).bytes(4096),
    "a graph with another name in it": WHOLE.replace(b"grey", b"gray", 1),
    **{f"a bit of byte {at} turned": flipped(at) for at in (0, 100, len(WHOLE) // 3, len(WHOLE) // 2, len(WHOLE) - 1)},
    "another network": lighterglue.WEIGHTS.read_bytes(),
}


@pytest.mark.parametrize("data", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_network_is_refused_by_name(tmp_path: Path, data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "xfeat.onnx"
    path.write_bytes(data)
    with pytest.raises(MissingDependency) as error:
        open_network(path)
    assert str(path) in str(error.value)
    assert str(error.value).endswith("install campose_ros again")
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_network_that_is_none(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "xfeat.onnx"
    if kind == "folder":
        path.mkdir()
    with pytest.raises(MissingDependency, match=r"xfeat\.onnx is missing: install"):
        open_network(path)
