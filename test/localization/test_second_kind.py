"""A second kind of landmarks: it finds what SIFT does not, and is asked nowhere else."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from second_landmarks import with_second_landmarks

from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.errors import MappingError
from campose_core.evaluation.run import frames_with_camera
from campose_core.frame import Frame
from campose_core.geometry import Pose, Similarity, pose_error
from campose_core.landmark_map.aligned import SECOND, second_landmarks
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.localization.estimators import structure
from campose_core.localization.estimators.base import Kind, PoseEstimate, PosePrior
from campose_core.localization.estimators.structure import StructureEstimator
from campose_core.localization.second_kind import SecondKind
from campose_core.scene.scene import Scene
from campose_core.trajectory import read_tum

pytestmark = pytest.mark.slow

NEAR = np.diag([0.05**2] * 3 + [0.05**2] * 3)


class Drive(NamedTuple):
    """The small room with both kinds, the images of a later drive, and their truth."""

    scene: Scene
    alone: Scene
    frames: list[tuple[Frame, Camera]]
    truth: dict[int, Pose]


@pytest.fixture(scope="module")
def drive(small_scene: Path, small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Drive:
    alone, folder = Scene.open(small_scene), tmp_path_factory.mktemp("second")
    scene = with_second_landmarks(alone, small_world / "mapping.tum", folder)
    frames = list(frames_with_camera(alone, open_recording(small_world / "later.bag"), None, ""))
    return Drive(scene, alone, frames, dict(read_tum(small_world / "later.tum")))


def at_dusk(frame: Frame) -> Frame:
    """A sixteenth of the light, with the noise of a sensor: SIFT's contrast is gone."""
    noise = np.random.default_rng(0).normal(0.0, 1.0, frame.image.shape)
    return frame._replace(image=np.clip(frame.image / 16 + noise, 0, 255).astype(np.uint8), jpeg=None)


def foreign(frame: Frame, seed: int) -> Frame:
    """The same picture in pieces, each elsewhere: its features are like the map's, its place is none."""
    image = frame.image
    rows, columns = image.shape[0] // 8, image.shape[1] // 8
    pieces = [image[r * rows : (r + 1) * rows, c * columns : (c + 1) * columns] for r in range(8) for c in range(8)]
    order = np.random.default_rng(seed).permutation(64)
    mixed = [np.concatenate([pieces[i] for i in order[8 * r : 8 * r + 8]], axis=1) for r in range(8)]
    return frame._replace(image=np.ascontiguousarray(np.concatenate(mixed)), jpeg=None)


def same(one: list[PoseEstimate], other: list[PoseEstimate]) -> bool:
    return len(one) == len(other) and all(
        pose_error(a.map_from_cam, b.map_from_cam) == (0.0, 0.0) and np.array_equal(a.covariance, b.covariance)
        for a, b in zip(one, other, strict=True)
    )


def test_it_finds_at_dusk_what_sift_does_not(drive):
    both, sift = StructureEstimator.load(drive.scene), StructureEstimator.load(drive.alone)
    found, errors = 0, []
    frames = drive.frames[::4]
    for frame, camera in frames:
        dusk = at_dusk(frame)
        assert sift.estimate(dusk, camera) == []
        for estimate in both.estimate(dusk, camera):
            found += 1
            truth = drive.truth[frame.stamp_ns]
            errors.append(pose_error(estimate.map_from_cam, truth))
            assert estimate.kind is Kind.RELOCALIZED
            assert np.linalg.eigvalsh(estimate.covariance).min() > 0
    assert found > 0.6 * len(frames)
    assert np.max(errors, axis=0)[0] < 0.15


def test_where_sift_finds_a_place_nothing_changes(drive, monkeypatch):
    """Nor is the second kind asked."""
    both, sift = StructureEstimator.load(drive.scene), StructureEstimator.load(drive.alone)
    monkeypatch.setattr(SecondKind, "find", lambda *_: pytest.fail("it was asked"))
    for frame, camera in drive.frames[::6]:
        assert same(both.estimate(frame, camera), sift.estimate(frame, camera))
        prior = PosePrior(drive.truth[frame.stamp_ns], NEAR)
        assert same(both.estimate(frame, camera, prior), sift.estimate(frame, camera, prior))


def test_images_of_elsewhere_have_no_place(drive):
    both = StructureEstimator.load(drive.scene)
    for seed, (frame, camera) in enumerate(drive.frames[::8]):
        assert both.estimate(foreign(frame, seed), camera) == []
        blank = frame._replace(image=np.full_like(frame.image, 90), jpeg=None)
        assert both.estimate(blank, camera) == []


def test_images_of_a_real_kitchen_have_no_place_in_a_rendered_room(drive, shared_data):
    both, kitchen = StructureEstimator.load(drive.scene), open_recording(shared_data / "redkitchen" / "query.mp4")
    camera = drive.frames[0][1]
    frames = list(kitchen.frames(fps=1.0))
    assert len(frames) >= 5
    for frame in frames:
        height, width = frame.image.shape[:2]
        assert both.estimate(frame, camera.resized(width, height)) == []


def test_what_is_in_doubt_is_answered_by_both_where_they_agree(drive, monkeypatch):
    monkeypatch.setattr(structure, "DOUBTFUL", 10**6)
    both, sift = StructureEstimator.load(drive.scene), StructureEstimator.load(drive.alone)
    agreed = 0
    for frame, camera in drive.frames[::8]:
        for answer, by_sift in zip(both.estimate(frame, camera), sift.estimate(frame, camera), strict=False):
            assert pose_error(answer.map_from_cam, drive.truth[frame.stamp_ns])[0] < 0.03
            assert answer.support > by_sift.support
            assert np.trace(answer.covariance[:3, :3]) < 1.05 * np.trace(by_sift.covariance[:3, :3])
            agreed += 1
    assert agreed > 0


def test_a_doubtful_place_that_the_second_kind_does_not_know_is_none(drive, tmp_path, monkeypatch):
    """The second kind's landmarks lie 3 m aside: whatever it finds, it is not where SIFT is."""
    monkeypatch.setattr(structure, "DOUBTFUL", 10**6)
    folder = shutil.copytree(drive.scene.path, tmp_path / "scene")
    landmarks = Landmarks.load(folder / "sfm" / SECOND)
    aside = Similarity(1.0, Rotation.identity(), np.full(3, 3.0))
    landmarks.transformed(aside).save(folder / "sfm" / SECOND)
    estimator = StructureEstimator.load(Scene.open(folder))
    for frame, camera in drive.frames[::10]:
        assert estimator.estimate(frame, camera) == []


def test_it_is_followed_where_sift_has_lost_the_prior(drive):
    both = StructureEstimator.load(drive.scene)
    last, tracked, errors = drive.truth[drive.frames[0][0].stamp_ns], 0, []
    frames = drive.frames[:30]
    for frame, camera in frames:
        faster = at_dusk(frame)._replace(stamp_ns=frame.stamp_ns // 8)
        found = both.estimate(faster, camera, PosePrior(last, 4 * NEAR))
        both.refresh()
        truth = drive.truth[frame.stamp_ns]
        tracked += bool(found) and found[0].kind is Kind.TRACKED
        errors += [pose_error(one.map_from_cam, truth) for one in found]
        last = found[0].map_from_cam if found else truth
    assert tracked > 0.8 * len(frames)
    assert np.max(errors, axis=0)[0] < 0.15


def test_a_scene_without_the_file_has_none(drive):
    assert second_landmarks(drive.alone) is None
    assert SecondKind.load(drive.alone) is None


def test_a_file_of_another_mapping_is_refused(drive, tmp_path):
    folder = shutil.copytree(drive.scene.path, tmp_path / "scene")
    landmarks = Landmarks.load(folder / "sfm" / SECOND)
    others = np.char.add("another_", landmarks.frame_names)
    replace(landmarks, frame_names=others).save(folder / "sfm" / SECOND)
    with pytest.raises(MappingError, match="campose map"):
        StructureEstimator.load(Scene.open(folder))
