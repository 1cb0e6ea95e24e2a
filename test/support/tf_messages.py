"""Message packages for the tests: those of the distribution, or built on the wheels, and kept for the next run."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

# The interfaces as bond_core and navigation2 define them.
BOND = {
    "msg/Status.msg": "std_msgs/Header header\nstring id\nstring instance_id\nbool active\n"
    "float32 heartbeat_timeout\nfloat32 heartbeat_period\n",
}
NAV2_MSGS = {"srv/SetInitialPose.srv": "geometry_msgs/PoseWithCovarianceStamped pose\n---\n"}


@pytest.fixture(scope="session")
def tf2_msgs(ros_environment: dict[str, str]) -> None:
    """tf2_msgs can be imported here and in the nodes that are started from now on."""
    _provide("tf2_msgs")


@pytest.fixture(scope="session")
def nav2_messages(ros_environment: dict[str, str]) -> None:
    """As tf2_msgs: of bond and nav2_msgs what a localizer uses."""
    _provide("bond", "nav2_msgs")


def _provide(*names: str) -> None:
    if all(importlib.util.find_spec(name) is not None for name in names):
        return
    if missing := [tool for tool in ("cmake", "c++") if shutil.which(tool) is None]:
        pytest.skip(f"{' and '.join(names)} not installed, and cannot be built without {' and '.join(missing)}")
    from campose_ros.build_messages import MessagePackage, build
    from campose_ros.build_tf2_msgs import TF2_MSGS

    prefix = Path(sys.prefix) / "share" / "campose_test_messages"
    python = prefix / f"lib/python3.{sys.version_info.minor}/site-packages"
    packages = [TF2_MSGS, MessagePackage("bond", BOND), MessagePackage("nav2_msgs", NAV2_MSGS)]
    if not all((python / package.name / "__init__.py").exists() for package in packages):
        build(prefix, packages)  # all at once: it is fetching the generators that takes long
    _load(sorted((prefix / "lib").glob("*.so")))
    sys.path.insert(0, str(python))
    for variable, path in (("PYTHONPATH", python), ("LD_LIBRARY_PATH", prefix / "lib")):
        os.environ[variable] = os.pathsep.join([str(path), *filter(None, [os.environ.get(variable)])])


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
