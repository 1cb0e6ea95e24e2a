"""Poses that came with the images place the map: in metres and level, whatever they drift by."""

import shutil

import numpy as np
import pytest
from recorded_walks import Walk, mapped_scene
from scipy.spatial.transform import Rotation
from written_exports import WRITERS, Shot

from campose_core.alignment.request import AlignRequest
from campose_core.alignment.step import align_scene
from campose_core.camera import Camera
from campose_core.geometry import Pose, pose_error
from campose_core.trajectory import FRAME_PERIOD_NS, Trajectory

CAMERA = Camera("PINHOLE", 32, 24, (30.0, 30.0, 15.5, 11.5))
DARK = np.zeros((24, 32, 3), np.uint8)


def exported(walk: Walk, name: str, poses: Trajectory):
    """The mapped scene of an export, aligned by what came with it."""
    shots = [Shot(DARK, stamp, pose) for stamp, pose in poses]
    folder = WRITERS[name](walk.folder / "export", shots, CAMERA)
    return mapped_scene(walk.folder / "scene", walk.sfm, {"kind": "export", "path": str(folder)})


def errors(scene, truth: Trajectory) -> np.ndarray:
    known = dict(truth)
    return np.array([pose_error(f.map_from_cam, known[f.stamp_ns]) for f in scene.frames if f.stamp_ns in known])


@pytest.mark.parametrize("name", ["EuRoC (ASL)", "TUM RGB-D"])
def test_a_map_needs_no_other_reference(tmp_path, name):
    walk = Walk(tmp_path, 1, seconds=12.0)
    scene = align_scene(exported(walk, name, walk.truth), AlignRequest())
    assert scene.alignment.method == f"{name}'s poses"
    assert scene.scale.is_known
    assert errors(scene, walk.truth)[:, 0].max() < 0.05
    assert np.degrees(errors(scene, walk.truth)[:, 1].max()) < 1.0


def drifting(truth: Trajectory, metres: float, degrees: float) -> Trajectory:
    """Off at its end by so much, growing all the way, about the axis that gravity does not see."""
    share = np.linspace(0.0, 1.0, len(truth))
    turn = Rotation.from_euler("z", np.radians(degrees) * share[:, None])
    place = turn.apply(truth.positions) + metres * share[:, None] * [1.0, 0.0, 0.0]
    return Trajectory(truth.stamps_ns, place, turn * truth.rotations)


def test_drift_is_said_and_bends_no_part_of_the_map(tmp_path, caplog):
    walk = Walk(tmp_path, 2, seconds=12.0)
    scene = align_scene(exported(walk, "EuRoC (ASL)", drifting(walk.truth, 0.2, 3.0)), AlignRequest())
    (line,) = [record.getMessage() for record in caplog.records if "off the pictures" in record.getMessage()]
    assert line.startswith("align: export: the poses of EuRoC (ASL) are ")
    assert scene.alignment.residual.max_m > 0.05
    # One similarity lies between the map and the reconstruction: no frame was moved by itself.
    known = dict(walk.sfm)
    for frame in scene.frames:
        placed = scene.alignment.map_from_sfm.transform_pose(known[frame.stamp_ns])
        assert max(pose_error(frame.map_from_cam, placed)) < 1e-9
    map_from_true_map = scene.alignment.map_from_sfm.rotation * walk.map_from_sfm.rotation.inv()
    assert np.degrees(np.arccos(map_from_true_map.as_matrix()[2, 2])) < 0.6


def test_the_frame_of_a_data_set_without_up_is_kept_and_said(tmp_path, caplog):
    walk = Walk(tmp_path, 3, seconds=12.0)
    tilt = Pose(Rotation.from_euler("x", 0.7), [1.0, 2.0, 3.0])
    tilted = Trajectory.from_poses(walk.truth.stamps_ns, [tilt * pose for _, pose in walk.truth])
    scene = exported(walk, "12-Scenes", tilted)
    # The poses are at numbers times 33 ms: those of frames at the same times count.
    walked = Trajectory.from_poses(np.arange(len(tilted)) * 33_333_333, [pose for _, pose in walk.sfm])
    scene = mapped_scene(tmp_path / "numbered", walked, next(iter(scene.sources.values())))
    aligned = align_scene(scene, AlignRequest())
    assert any("z of 12-Scenes is not up" in record.getMessage() for record in caplog.records)
    assert not any("WARNING" in record.getMessage() for record in caplog.records)
    reference = Trajectory.from_poses(np.arange(len(tilted)) * 33_333_333, [pose for _, pose in tilted])
    assert errors(aligned, reference)[:, 0].max() < 0.05


def test_a_packed_export_places_the_map_too_and_a_unit_that_it_does_not_name_is_said(tmp_path, caplog):
    walk = Walk(tmp_path, 4, seconds=12.0)
    shots = [Shot(DARK, stamp, pose) for stamp, pose in walk.truth]
    folder = WRITERS["nerfstudio transforms.json"](tmp_path / "scan", shots, CAMERA)
    archive = shutil.make_archive(str(tmp_path / "shared"), "zip", folder)
    walked = Trajectory.from_poses(np.arange(len(walk.sfm)) * FRAME_PERIOD_NS, [pose for _, pose in walk.sfm])
    aligned = align_scene(mapped_scene(tmp_path / "scene", walked, {"kind": "export", "path": archive}), AlignRequest())
    assert aligned.alignment.method == "nerfstudio transforms.json's poses"
    assert aligned.alignment.map_from_sfm.scale == pytest.approx(walk.map_from_sfm.scale, rel=0.02)
    said = [record.getMessage() for record in caplog.records]
    assert any("shared: nerfstudio transforms.json names no unit, metres are taken" in text for text in said)
