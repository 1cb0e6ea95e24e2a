"""nerfstudio is told the lens where it looks for it, and people what the metres rest on.

nerfstudio/data/dataparsers/nerfstudio_dataparser.py (github.com/nerfstudio-project/nerfstudio): `camera_model` is read
at the top of the file alone, and PERSPECTIVE without it; fl_x and the others at the top, or else with each frame.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.cli.main import main
from campose_core.errors import MappingError
from campose_core.exports.table import read_export
from campose_core.geometry import Pose, Similarity
from campose_core.interchange.export import export_scene
from campose_core.map_scale import MEASURED, UNKNOWN, MapScale, ScaleBasis
from campose_core.scene.alignment import Alignment
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene

FISHEYE = Camera("OPENCV_FISHEYE", 64, 48, (30.0, 31.0, 31.5, 23.5, 0.01, 0.002, -0.003, 0.0004))
PLAIN = Camera("PINHOLE", 64, 48, (50.0, 51.0, 31.5, 23.5))
ZOOMED = Camera("PINHOLE", 64, 48, (70.0, 71.0, 31.5, 23.5))


def exported(folder: Path, lenses: dict[str, Camera]) -> dict:
    """The transforms.json of a scene with two frames of each lens."""
    assert export_scene(scene_of(folder / "scene", lenses), "nerfstudio", folder / "out") == 2 * len(lenses)
    return json.loads((folder / "out" / "transforms.json").read_text())


def scene_of(folder: Path, lenses: dict[str, Camera]) -> Scene:
    pose = Pose.from_quat_xyzw([0.0, 0.0, 0.0, 1.0], np.zeros(3))
    frames = tuple(
        SceneFrame(f"{name}/{n:06d}.jpg", name, n * 10**8, name, "", pose) for name in lenses for n in range(2)
    )
    scene = Scene(folder, "scene", lenses, {name: {"kind": "video"} for name in lenses}, frames=frames)
    for frame in frames:
        path = scene.frame_path(frame)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48)).save(path)
    scene.save()
    return scene


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


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        (MapScale(ScaleBasis.ASSUMED, 0.15), "scale assumed (15 %): all lengths are off by that much together"),
        (UNKNOWN, "is not in metres: its scale is unknown"),
        (MEASURED, ""),
    ],
)
def test_what_the_metres_of_an_export_rest_on_is_said(tmp_path, capsys, scale, said):
    aligned = Alignment(Similarity(0.5, Rotation.identity(), np.zeros(3)), "by hand", scale=scale)
    scene = scene_of(tmp_path / "scene", {"walk": PLAIN}).with_step("align", {}, alignment=aligned)
    scene.save()
    assert main(["export", str(scene.path), "--to", "nerfstudio", "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().err
    assert said in told
    assert bool(said) == ("scale" in told)
    assert read_export(tmp_path / "out").metric == (scale is not UNKNOWN)
