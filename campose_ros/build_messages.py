"""Packages of messages, built for an environment that is made of ROS 2 wheels: PyPI has few of them."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from campose_core.cli.console import say
from campose_core.errors import CamposeError, MissingDependency

PACKAGE_XML = """<package format="3">
  <name>{name}</name>
  <version>0.0.0</version>
  <description>Some of the messages of {name}</description>
  <maintainer email="campose@example.org">campose developers</maintainer>
  <license>Apache-2.0</license>
  <buildtool_depend>ament_cmake</buildtool_depend>
  <buildtool_depend>rosidl_default_generators</buildtool_depend>
  <depend>geometry_msgs</depend>
  <member_of_group>rosidl_interface_packages</member_of_group>
</package>
"""
CMAKE_LISTS = """cmake_minimum_required(VERSION 3.16)
project({name})
find_package(ament_cmake REQUIRED)
find_package(geometry_msgs REQUIRED)
find_package(rosidl_default_generators REQUIRED)
rosidl_generate_interfaces({name} {files} DEPENDENCIES geometry_msgs)
ament_package()
"""
# The wheels name few of their dependencies.
WHEELS = [
    "rclpy", "rmw-fastrtps-cpp", "ament-package", "ament-cmake", "ament-cmake-include-directories",
    "ament-cmake-gtest", "ament-cmake-gmock", "ament-cmake-pytest", "ament-cmake-ros", "python-cmake-module",
    "rosidl-default-generators", "rosidl-core-generators", "rosidl-adapter", "rosidl-generator-py", "rpyutils",
]  # fmt: skip
TOOLS = ["catkin_pkg", "empy<4", "lark"]


class MessagePackage(NamedTuple):
    """definitions: by file, such as msg/TFMessage.msg; of the fields' packages geometry_msgs and what it uses."""

    name: str
    definitions: Mapping[str, str]


def build(prefix: Path, packages: Sequence[MessagePackage]) -> None:
    """Leave the packages in `prefix`/lib.

    Raises:
        MissingDependency: no cmake, no compiler, or no ROS 2 wheels here. CamposeError: a step failed; with its output.
    """
    for tool in ("cmake", "c++"):
        if shutil.which(tool) is None:
            raise MissingDependency(f"{tool} is not installed: apt install cmake g++ make")
    wheels = _wheels()
    with tempfile.TemporaryDirectory() as folder:
        tools = Path(folder) / "tools"
        say("fetching the message generators")
        _run([sys.executable, "-m", "venv", str(tools)])
        python = tools / "bin" / "python"
        _run([str(python), "-m", "pip", "install", "--quiet", "--no-compile", *wheels, *TOOLS])
        _correct_include_folders(tools, python)
        say(f"building {', '.join(package.name for package in packages)} into {prefix}")
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            # A list, so that what a build raises is raised here.
            list(pool.map(lambda package: _build_one(prefix, package, Path(folder) / package.name, tools), packages))


def _build_one(prefix: Path, package: MessagePackage, folder: Path, tools: Path) -> None:
    source, made, python = folder / "source", folder / "build", tools / "bin" / "python"
    for name, text in package.definitions.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    (source / "package.xml").write_text(PACKAGE_XML.format(name=package.name))
    (source / "CMakeLists.txt").write_text(CMAKE_LISTS.format(name=package.name, files=" ".join(package.definitions)))
    _run([
        "cmake", "-S", str(source), "-B", str(made), f"-DCMAKE_INSTALL_PREFIX={prefix}", "-DBUILD_TESTING=OFF",
        f"-DCMAKE_PREFIX_PATH={tools}", f"-DPython3_EXECUTABLE={python}",
    ], AMENT_PREFIX_PATH=str(tools), PATH=f"{python.parent}{os.pathsep}{os.environ['PATH']}")  # fmt: skip
    _run(["cmake", "--build", str(made), "--parallel"], AMENT_PREFIX_PATH=str(tools))
    _run(["cmake", "--install", str(made)])


def _wheels() -> list[str]:
    """List the installed distribution's wheels of generators, and of what messages are made of, in those versions."""
    names = {str(found.metadata["Name"]) for found in importlib.metadata.distributions()}
    distributions = {name.split("-")[1] for name in names if name.endswith("-geometry-msgs") and name.count("-") == 3}
    if not distributions:
        raise MissingDependency(
            "there are no ROS 2 wheels in this environment: apt install ros-$ROS_DISTRO-tf2-msgs, or "
            "pip install 'campose_ros[ros]' first"
        )
    prefix = f"ros-{distributions.pop()}"
    messages = [f"{name}=={importlib.metadata.version(name)}" for name in (f"{prefix}-geometry-msgs", "numpy")]
    return [*messages, *(f"{prefix}-{name}" for name in WHEELS)]


def _correct_include_folders(tools: Path, python: Path) -> None:
    """Correct the wheels' CMake files: they name the folders of the machine that built them."""
    numpy = _run([str(python), "-c", "import numpy; print(numpy.get_include())"]).strip()
    for file in tools.glob("share/*/cmake/*rosidl_generator_pyExport.cmake"):
        text = [
            f'  INTERFACE_INCLUDE_DIRECTORIES "{sysconfig.get_path("include")};{numpy}"'
            if "INTERFACE_INCLUDE_DIRECTORIES" in line and "/opt/python/" in line
            else line
            for line in file.read_text().splitlines()
        ]
        file.write_text("\n".join(text) + "\n")


def _run(command: list[str], **variables: str) -> str:
    # What the wheels set for this environment's libraries would hide those of the other.
    clean = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "_ROS_WHEELS_BOOTSTRAP_COMPLETE")}
    done = subprocess.run(
        command, env={**clean, **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise CamposeError(f"{' '.join(command[:4])} failed: {done.stdout.strip()[-2000:]}")
    return done.stdout
