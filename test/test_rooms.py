"""Who may import whom, and what an import costs: docs/architecture.md, kept true."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "campose_core"
# Each room imports only itself and what stands before it; nouns are the modules at the top of campose_core.
ORDER = [
    "nouns", "scene", "seams", "plotting", "pixels", "bag", "formats", "exports", "capture", "simulation", "inertial",
    "motion", "features", "landmark_map", "joining", "sfm", "floorplan", "alignment", "learning", "localization",
    "session", "update", "evaluation", "paper", "replay", "matrix", "doctor", "visualization", "interchange", "cli",
]  # fmt: skip
MAX_LINES_OF_A_ROOM = 3500
SCRIPTS = CORE / "features" / "weights"  # what made the files there; nobody imports it
FILES = sorted(path.relative_to(ROOT) for path in CORE.rglob("*.py") if SCRIPTS not in path.parents)
# Where each heavy package may be imported.
HOMES = {
    "torch": "learning/", "torchvision": "learning/", "safetensors": "learning/", "pytorch_lightning": "learning/",
    "tensorboard": "learning/",
    "pycolmap": "landmark_map/colmap.py",
    "rosbags": "bag/", "foxglove": "visualization/", "pyvista": "simulation/", "av": ("capture/", "pixels/"),
    "dask": "matrix/", "distributed": "matrix/", "pyarrow": "matrix/",
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


def room_of(parts: Sequence[str]) -> str:
    """Of a path or a module inside campose_core."""
    return parts[0] if parts and parts[0] in ORDER else "nouns"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_stay_in_their_rooms(path):
    inside = path.relative_to("campose_core")
    # The package's face names what it offers out of every room; test_imports_are_light sees that it does so late.
    room = ORDER[-1] if inside == Path("__init__.py") else room_of(inside.parts)
    for module, top_level in imported_modules(ROOT / path):
        package, *rest = module.split(".")
        assert package not in ("rclpy", "campose_ros"), f"{path} reaches up to ROS"
        if package in HOMES:
            home = HOMES[package]
            assert inside.as_posix().startswith(home), f"{path} imports {package}, which belongs to {home}"
            late = inside.as_posix().startswith(LATE_MODULES)
            assert not top_level or late, f"{path} imports {package} at module level"
        if package == "campose_core":
            other = room_of(rest)
            assert ORDER.index(other) <= ORDER.index(room), f"{path} imports {module}, which stands after {room}"


def test_every_folder_is_a_room_and_no_room_is_too_large():
    assert {path.name for path in CORE.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(ORDER[1:])
    lines = Counter()
    for path in FILES:
        lines[room_of(path.relative_to("campose_core").parts)] += len((ROOT / path).read_text().splitlines())
    assert not {room: count for room, count in lines.items() if count > MAX_LINES_OF_A_ROOM}


# What the robot runs: the localizer, its estimators but the networks, the replay and the viewer.
ROBOT_SIDE = ("localization", "session", "replay", "visualization")
ROS_FILES = sorted(path.relative_to(ROOT) for path in (ROOT / "campose_ros").glob("*.py") if path.name != "demo.py")


@pytest.mark.parametrize("path", [*(path for path in FILES if path.parts[1] in ROBOT_SIDE), *ROS_FILES], ids=str)
def test_the_robots_side_needs_neither_the_mapper_nor_the_trainer(path):
    for module, _ in imported_modules(ROOT / path):
        assert room_of(module.split(".")[1:]) not in ("sfm", "alignment", "update"), f"{path} imports {module}"


ROBOT_RUNS = (
    "campose_ros.localizer_node", "campose_core.cli.localize", "campose_core.cli.replay", "campose_core.cli.view",
    "campose_core.localization.estimators.structure",
)  # fmt: skip


@pytest.mark.parametrize("start", ROBOT_RUNS)
def test_nothing_that_the_robot_runs_leads_to_colmap(start):
    """Over all imports, late ones too: whoever reaches the door to pycolmap may open it."""
    ways, waiting = {start: start}, [start]
    while waiting:
        module = waiting.pop()
        if module == "campose_core":  # reaches every room, each by a late import of a name that somebody asks for
            continue
        base = ROOT / module.replace(".", "/")
        for path in filter(Path.is_file, (base.with_suffix(".py"), base / "__init__.py")):
            for name, _ in imported_modules(path):
                if name.startswith("campose_") and name not in ways:
                    ways[name] = f"{ways[module]} > {name}"
                    waiting.append(name)
    assert len(ways) > 20
    assert "campose_core.landmark_map.colmap" not in ways, ways["campose_core.landmark_map.colmap"]


@pytest.mark.parametrize(
    "module",
    ["campose_core", "campose_core.scene.scene", "campose_core.localization.localizer", "campose_core.cli.main"],
)
def test_imports_are_light(module):
    heavy = [
        "torch",
        "pycolmap",
        "av",
        "cv2",
        "rosbags",
        "foxglove",
        "pyvista",
        "matplotlib",
        "distributed",
        "pyarrow",
        "rclpy",
    ]
    code = f"import {module}, sys; print([name for name in {heavy} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_the_page_names_each_file_of_the_nodes_once():
    page = (ROOT / "docs" / "architecture.md").read_text().partition("The files of `campose_ros/`")[2]
    named = re.findall(r"`([a-z0-9_]+)`", page.partition("\n## ")[0].partition("|---|")[2])
    programs = {"campose_localizer", "campose_replay", "campose_viewer", "campose_demo"}
    modules = [path.stem for path in (ROOT / "campose_ros").glob("*.py") if path.stem != "__init__"]
    assert sorted(name for name in named if name not in programs) == sorted(modules)
