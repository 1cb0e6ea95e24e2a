"""What setup.py declares, and the files of the package without all else that lies in the folder."""

import ast
import functools
import os
import runpy
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import setuptools

REPOSITORY = Path(__file__).resolve().parents[2]


@functools.cache
def setup_arguments() -> dict[str, Any]:
    """What setup.py hands to setuptools."""
    taken: dict[str, Any] = {}
    here, real_setup = Path.cwd(), setuptools.setup
    setuptools.setup = taken.update
    os.chdir(REPOSITORY)
    try:
        runpy.run_path(str(REPOSITORY / "setup.py"))
    finally:
        os.chdir(here)
        setuptools.setup = real_setup
    return taken


def executables() -> dict[str, str]:
    """Console scripts: name -> "MODULE:FUNCTION"."""
    return dict(script.split(" = ") for script in setup_arguments()["entry_points"]["console_scripts"])


def installed_share() -> set[str]:
    """Paths of the data files, relative to the prefix they are installed in."""
    return {f"{folder}/{Path(file).name}" for folder, files in setup_arguments()["data_files"] for file in files}


def launch_arguments(file: str) -> set[str]:
    """What `ros2 launch campose_ros FILE` takes, the arguments of the files that it includes among them."""
    path = REPOSITORY / "launch" / file
    if path.suffix == ".py":
        return set(python_launch_arguments(path))
    root = ElementTree.parse(path).getroot()
    included = (launch_arguments(Path(include.get("file", "")).name) for include in root.iter("include"))
    return {arg.get("name", "") for arg in root.findall("arg")}.union(*included)


def python_launch_arguments(path: Path) -> dict[str, tuple[str, str]]:
    """ARGUMENTS of a launch file in Python: read, not run, for launch is not on PyPI."""
    assigned = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Assign)]
    (table,) = [node.value for node in assigned if ast.unparse(node.targets[0]) == "ARGUMENTS"]
    return ast.literal_eval(table)


def copy_files(target: Path) -> None:
    """The files that git knows or would take, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    names = [name for name in listed.stdout.split("\0") if name and (REPOSITORY / name).is_file()]
    if not names:
        pytest.skip("not a git checkout: the files of the package cannot be told from others")
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes((REPOSITORY / name).read_bytes())
        (target / name).chmod((REPOSITORY / name).stat().st_mode)
