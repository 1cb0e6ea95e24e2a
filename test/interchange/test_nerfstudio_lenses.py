"""nerfstudio is told the lens where it looks for it.

nerfstudio/data/dataparsers/nerfstudio_dataparser.py (github.com/nerfstudio-project/nerfstudio): `camera_model` is read
at the top of the file alone, and PERSPECTIVE without it; fl_x and the others at the top, or else with each frame.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from campose_core.camera import Camera
from campose_core.errors import MappingError
from campose_core.geometry import Pose
from campose_core.interchange.export import export_scene
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene

FISHEYE = Camera("OPENCV_FISHEYE", 64, 48, (30.0, 31.0, 31.5, 23.5, 0.01, 0.002, -0.003, 0.0004))
PLAIN = Camera("PINHOLE", 64, 48, (50.0, 51.0, 31.5, 23.5))
ZOOMED = Camera("PINHOLE", 64, 48, (70.0, 71.0, 31.5, 23.5))


def exported(folder: Path, lenses: dict[str, Camera]) -> dict:
    """The transforms.json of a scene with two frames of each lens."""
    pose = Pose.from_quat_xyzw([0.0, 0.0, 0.0, 1.0], np.zeros(3))
    frames = tuple(
        SceneFrame(f"{name}/{n:06d}.jpg", name, n * 10**8, name, "", pose) for name in lenses for n in range(2)
    )
    scene = Scene(folder / "scene", "scene", lenses, {name: {"kind": "video"} for name in lenses}, frames=frames)
    for frame in frames:
        path = scene.frame_path(frame)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48)).save(path)
    scene.save()
    assert export_scene(scene, "nerfstudio", folder / "out") == len(frames)
    return json.loads((folder / "out" / "transforms.json").read_text())


def test_a_fisheye_is_one_at_the_top_of_the_file(tmp_path):
    fields = exported(tmp_path, {"walk": FISHEYE})
    lens = {key: fields[key] for key in ("camera_model", "w", "h", "fl_x", "fl_y", "cx", "cy", "k1", "k2", "k3", "k4")}
    assert list(lens.values()) == [
        "OPENCV_FISHEYE", 64, 48, 30.0, 31.0, 32.0, 24.0, 0.01, 0.002, -0.003, 0.0004,
    ]  # fmt: skip
    assert all(set(frame) == {"file_path", "transform_matrix"} for frame in fields["frames"])


def test_what_differs_from_lens_to_lens_stands_with_the_frames(tmp_path):
    fields = exported(tmp_path, {"near": PLAIN, "far": ZOOMED})
    assert fields["camera_model"] == "OPENCV"
    assert "fl_x" not in fields  # nerfstudio would take it for all
    assert {(frame["file_path"].split("/")[1], frame["fl_x"]) for frame in fields["frames"]} == {
        ("near", 50.0),
        ("far", 70.0),
    }


def test_a_fisheye_among_other_lenses_is_refused(tmp_path):
    with pytest.raises(MappingError, match=r"OPENCV and OPENCV_FISHEYE \(plain, round\), and nerfstudio takes one"):
        exported(tmp_path, {"round": FISHEYE, "plain": PLAIN})
    assert not (tmp_path / "out").exists()
