"""Several cameras of one body: one state, and each camera's own memory."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.evaluation.run import frames_with_camera
from campose_core.frame import Frame
from campose_core.geometry import Pose, pose_error
from campose_core.localization.estimators.base import Kind, PoseEstimate, PosePrior
from campose_core.localization.estimators.structure import StructureEstimator
from campose_core.localization.localizer import Localizer
from campose_core.localization.result import LocalizationResult, Status
from campose_core.scene.scene import Scene
from campose_core.trajectory import read_tum

CAMERA = Camera.from_field_of_view(64, 48, 70.0)
MOUNTINGS = {
    "front": Pose(Rotation.from_euler("z", 0.0), np.array([0.3, 0.0, 0.5])),
    "rear": Pose(Rotation.from_euler("z", math.pi), np.array([-0.4, 0.1, 0.7])),
}
START_NS, PERIOD_NS = 1_700_000_000_000_000_000, 33_000_000


class Seeing:
    """Stands in for an estimator: answers with the truth, from the cameras that see something. Keeps the priors."""

    name = "seeing"

    def __init__(self) -> None:
        self.map_from_cam: Pose | None = None
        self.priors: list[tuple[PosePrior, Pose]] = []

    def refresh(self) -> None:
        pass

    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> list[PoseEstimate]:
        if self.map_from_cam is None:
            return []
        if prior is not None:
            self.priors.append((prior, self.map_from_cam))
        covariance = np.diag([0.003**2] * 3 + [0.002**2] * 3)
        return [PoseEstimate(frame.stamp_ns, self.map_from_cam, covariance, 50, Kind.RELOCALIZED)]


class Shot(NamedTuple):
    """An image of a camera, so long after the start, in which something known is to be seen or not."""

    name: str
    after_ns: int
    sees: bool = True


def base_at(after_ns: int) -> Pose:
    """On an arc, at 0.8 m/s and 1 rad/s."""
    t = after_ns * 1e-9
    return Pose(Rotation.from_euler("z", t), np.array([0.8 * math.sin(t), 0.8 * (1 - math.cos(t)), 0.0]))


def ride(shots: list[Shot], estimator: Seeing | None = None) -> list[LocalizationResult]:
    estimator = estimator or Seeing()
    localizer, results = Localizer(estimator), []
    for shot in shots:
        mounting = MOUNTINGS[shot.name]
        estimator.map_from_cam = base_at(shot.after_ns) * mounting if shot.sees else None
        frame = Frame(START_NS + shot.after_ns, np.zeros((48, 64, 3), np.uint8), shot.name, "")
        results.append(localizer.localize(frame, CAMERA, mounting))
    return results


def alternating(count: int, offset_ns: int, rear_sees: bool = True) -> list[Shot]:
    pairs = [(Shot("front", i * PERIOD_NS), Shot("rear", i * PERIOD_NS + offset_ns, rear_sees)) for i in range(count)]
    return [shot for pair in pairs for shot in pair]


def check_poses(results: list[LocalizationResult]) -> None:
    for result in results:
        if result.map_from_base is not None:
            error_m, error_rad = pose_error(result.map_from_base, base_at(result.stamp_ns - START_NS))
            assert error_m < 1e-6
            assert error_rad < 1e-6


@pytest.mark.parametrize("offset_ns", [0, 1_000_000, 16_000_000])
def test_cameras_that_look_apart_agree_on_the_base(offset_ns: int) -> None:
    """The reasons for a jump are asked of the base: the cameras themselves are far apart, and turn in their places."""
    results = ride(alternating(30, offset_ns))
    assert [r.status for r in results[2:]] == [Status.TRACKING] * 58
    check_poses(results)


def test_the_prior_of_one_camera_is_good_for_the_other() -> None:
    """Velocities come from poses of one camera: a millisecond between two of them tells none."""
    estimator = Seeing()
    ride(alternating(30, 1_000_000), estimator)
    errors_m = [pose_error(prior.map_from_cam, truth)[0] for prior, truth in estimator.priors[10:]]
    assert max(errors_m) < 0.01  # standing still would be 0.03


def test_a_camera_that_faces_a_white_wall_stops_nothing() -> None:
    results = ride(alternating(40, 16_000_000, rear_sees=False))
    assert [r.status for r in results[4:]] == [Status.TRACKING] * 76
    assert all(r.map_from_base is not None for r in results[4::2])
    check_poses(results)


def test_either_camera_may_be_the_one_that_sees() -> None:
    shots = alternating(60, 16_000_000)
    shots = [shot._replace(sees=(shot.name == "front") == (shot.after_ns // 500_000_000 % 2 == 0)) for shot in shots]
    results = ride(shots)
    assert {r.status for r in results[8:]} == {Status.TRACKING}
    check_poses(results)


def test_two_slow_cameras_that_fire_together_are_not_lost_between_their_images() -> None:
    shots = [Shot(name, i * 1_500_000_000) for i in range(8) for name in MOUNTINGS]
    shots = [shot._replace(sees=True) for shot in shots]
    results = ride(shots)
    # The first pause is longer than any seen before.
    assert {r.status for r in results[6:]} == {Status.TRACKING}


def test_all_cameras_blind_is_lost() -> None:
    seen = alternating(10, 16_000_000)
    blind = [shot._replace(after_ns=shot.after_ns + seen[-1].after_ns + 1, sees=False) for shot in seen]
    assert ride(seen + blind)[-1].status is Status.LOST


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(MOUNTINGS)), st.booleans(), st.integers(0, 60)), max_size=60))
def test_whoever_sees_when_poses_are_those_of_the_base_and_bear_the_stamp_of_the_image(script) -> None:
    after_ns, shots = 0, []
    for name, sees, pause_ms in script:
        after_ns += pause_ms * 1_000_000
        shots.append(Shot(name, after_ns, sees))
    results = ride(shots)
    assert [r.stamp_ns - START_NS for r in results] == [shot.after_ns for shot in shots]
    assert all(r.map_from_base is None for r, shot in zip(results, shots, strict=True) if not shot.sees)
    check_poses(results)


@pytest.mark.slow
def test_what_another_camera_sees_in_between_changes_no_pose(small_scene, small_world) -> None:
    """Landmarks are followed from a camera's own last image."""
    path = small_world / "later.bag"
    scene, truth = Scene.open(small_scene), dict(read_tum(small_world / "later.tum"))
    frames = list(frames_with_camera(scene, open_recording(path), None, ""))[:8]
    covariance = np.diag([0.05**2] * 6)

    def poses(in_between: bool) -> list[tuple[float, ...]]:
        estimator, found = StructureEstimator.load(scene), []
        for frame, camera in frames:
            prior = PosePrior(truth[frame.stamp_ns], covariance)
            stamp_ns = frame.stamp_ns // 8  # as fast as a camera of thirty images a second
            found += estimator.estimate(frame._replace(stamp_ns=stamp_ns), camera, prior)
            estimator.refresh()
            if in_between:
                white = frame._replace(
                    stamp_ns=stamp_ns + 1_000_000, camera_frame="other", image=np.full_like(frame.image, 255)
                )
                assert estimator.estimate(white, camera, prior) == []
                estimator.refresh()
        return [(*one.map_from_cam.translation, *one.covariance.ravel()) for one in found]

    alone = poses(in_between=False)
    assert len(alone) == len(frames)
    assert poses(in_between=True) == alone
