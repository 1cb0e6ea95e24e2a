"""Who may import whom, and what an import costs: the architecture, kept true."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "campose_core"
ORDER = ["capture", "mapping", "learning", "localization", "evaluation", "visualization"]
FILES = sorted(path.relative_to(ROOT) for path in CORE.rglob("*.py"))
# Where each heavy package may be imported.
HOMES = {
    "torch": "learning/", "torchvision": "learning/", "safetensors": "learning/", "pytorch_lightning": "learning/",
    "tensorboard": "learning/",
    "pycolmap": "mapping/colmap.py",
    "rosbags": "capture/bag", "foxglove": "visualization/", "pyvista": "capture/", "av": "capture/",
}  # fmt: skip
# Modules that are themselves imported late, behind load_extra.
LATE_MODULES = ("learning/",)


def imported_modules(path: Path) -> list[tuple[str, bool]]:
    """(module, at module level) of each import, and of each load_extra("module", ...)."""
    tree = ast.parse(path.read_text())
    top_level = {id(node) for node in tree.body}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top_level) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.module or "", id(node) in top_level))
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "load_extra":
            found += [
                (text.value, False) for text in ast.walk(node.args[0]) if isinstance(getattr(text, "value", None), str)
            ]
    return found


def test_there_are_files():
    assert len(FILES) > 40


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_stay_in_their_rooms(path):
    inside = path.relative_to("campose_core").as_posix()
    room = inside.split("/")[0]
    for module, top_level in imported_modules(ROOT / path):
        package = module.split(".")[0]
        assert package not in ("rclpy", "campose_ros"), f"{path} reaches up to ROS"
        if package in HOMES:
            assert inside.startswith(HOMES[package]), f"{path} imports {package}, which belongs to {HOMES[package]}"
            assert not top_level or inside.startswith(LATE_MODULES), f"{path} imports {package} at module level"
        if package == "campose_core" and room in ORDER:
            other = module.split(".")[1] if "." in module else ""
            assert other != "cli", f"{path} imports the command line"
            if other in ORDER:
                assert ORDER.index(other) <= ORDER.index(room), f"{path} imports {other}, which stands right of {room}"


@pytest.mark.parametrize(
    "module", ["campose_core", "campose_core.scene", "campose_core.localization.localizer", "campose_core.cli.main"]
)
def test_imports_are_light(module):
    heavy = ["torch", "pycolmap", "av", "cv2", "rosbags", "foxglove", "pyvista", "matplotlib", "rclpy"]
    code = f"import {module}, sys; print([name for name in {heavy} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
