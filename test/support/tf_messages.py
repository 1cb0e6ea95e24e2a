"""tf2_msgs for the tests: that of the distribution, or one built on the wheels, kept beside them for the next run."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tf2_msgs(ros_environment: dict[str, str]) -> None:
    """tf2_msgs can be imported here and in the nodes that are started from now on."""
    if importlib.util.find_spec("tf2_msgs") is not None:
        return
    if missing := [tool for tool in ("cmake", "c++") if shutil.which(tool) is None]:
        pytest.skip(f"tf2_msgs is not installed, and cannot be built without {' and '.join(missing)}")
    from campose_ros.build_tf2_msgs import build

    prefix = Path(sys.prefix) / "share" / "campose_tf2_msgs"
    python = f"lib/python3.{sys.version_info.minor}/site-packages"
    if not (prefix / python / "tf2_msgs" / "__init__.py").exists():
        build(prefix)
    _load(sorted((prefix / "lib").glob("*.so")))
    sys.path.insert(0, str(prefix / python))
    for variable, folder in (("PYTHONPATH", prefix / python), ("LD_LIBRARY_PATH", prefix / "lib")):
        os.environ[variable] = os.pathsep.join([str(folder), *filter(None, [os.environ.get(variable)])])


def _load(libraries: list[Path]) -> None:
    """Into this process, which looks for libraries where it did when it started; each after those it needs."""
    while libraries:
        left = []
        for library in libraries:
            try:
                ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
            except OSError:
                left.append(library)
        assert len(left) < len(libraries), f"none of {left} can be loaded"
        libraries = left
