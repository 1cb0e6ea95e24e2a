"""MeNet composed over the images of a camera."""

from dataclasses import replace

import numpy as np
import pytest
from learnable import CAMERA, QUICK, SMALL, make_scene, picture, walk

from campose_core.errors import LearningError
from campose_core.geometry import Pose, pose_error
from campose_core.learning.checkpoint import load
from campose_core.learning.train import train
from campose_core.learning.validation import Calibration
from campose_core.learning.visual_odometry import VisualOdometry

COUNT, STEP_NS = 40, 100_000_000  # of make_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    scene = make_scene(tmp_path_factory.mktemp("scenes") / "scene", {"a": COUNT})
    return train(scene, "menet", replace(QUICK, kind="menet", image_size=64, epochs=30))


@pytest.fixture
def odometry(scene) -> VisualOdometry:
    return VisualOdometry.load(scene)


def moves(odometry: VisualOdometry, poses: list[Pose], step_ns: int, start_ns: int = 0):
    return [odometry.moved(start_ns + i * step_ns, picture(pose), CAMERA) for i, pose in enumerate(poses)]


def composed(found) -> list[Pose]:
    odom_from_cams = [Pose.identity()]
    for before_from_now, _ in found[1:]:
        odom_from_cams.append(odom_from_cams[-1] * before_from_now)
    return odom_from_cams


def test_it_follows_the_camera(odometry):
    """On a path of the same shape elsewhere, that training has not seen."""
    path = walk(COUNT, start=0.3)
    found = moves(odometry, path, STEP_NS)
    assert found[0] is None
    truth = path[0].inverse() * path[-1]
    off_m, off_rad = pose_error(composed(found)[-1], truth)
    assert off_m < 0.35 * np.linalg.norm(truth.translation)
    assert off_rad < 0.35


def test_a_faster_camera_is_compared_with_the_picture_that_training_had_before(scene, odometry):
    """Four times as many images lead to the same poses, with the same uncertainty in sum, where MeNet is equally
    sure of all pairs."""
    equally_sure = Calibration(np.diag([0.01**2] * 6), 0.0)
    model = replace(load(scene.models_dir / "menet"), calibration=equally_sure)
    odometry = VisualOdometry(model, odometry.apart_s, odometry.apart_s)
    slow, fast = walk(11), walk(41)
    of_slow = moves(odometry, slow, STEP_NS)
    odometry.reset()
    of_fast = moves(odometry, fast, STEP_NS // 4)
    for a, b in zip(composed(of_slow), composed(of_fast)[::4], strict=True):
        assert pose_error(a, b) == pytest.approx((0.0, 0.0), abs=1e-6)
    for i in range(1, 11):
        whole, parts = of_slow[i][1], [covariance for _, covariance in of_fast[4 * i - 3 : 4 * i + 1]]
        assert np.trace(np.sum(parts, axis=0)) == pytest.approx(np.trace(whole), rel=0.5)


def test_a_covariance_is_about_the_axes_of_the_camera_before(odometry):
    """The step after the first of an interval, from the key image's axes to those of the image between."""
    poses = [Pose(Pose.identity().rotation, np.zeros(3)), *walk(2)]
    key, between, now = poses
    odometry.moved(0, picture(key), CAMERA)
    key_from_between, _ = odometry.moved(STEP_NS // 2, picture(between), CAMERA)
    between_from_now, of_step = odometry.moved(STEP_NS, picture(now), CAMERA)
    odometry.reset()
    odometry.moved(0, picture(key), CAMERA)
    key_from_now, of_whole = odometry.moved(STEP_NS, picture(now), CAMERA)
    assert pose_error(key_from_between * between_from_now, key_from_now) == pytest.approx((0.0, 0.0), abs=1e-9)
    turn = np.kron(np.eye(2), key_from_between.rotation.as_matrix())
    np.testing.assert_allclose(turn @ of_step @ turn.T, 0.5 * of_whole, rtol=1e-9, atol=1e-15)


def test_what_it_cannot_know_is_none_and_the_next_step_is_measured_again(odometry):
    picture_, second_ns = picture(walk(2)[0]), 1_000_000_000
    assert odometry.moved(5 * second_ns, picture_, CAMERA) is None
    assert odometry.moved(5 * second_ns, picture_, CAMERA) is None  # the same stamp again
    assert odometry.moved(1 * second_ns, picture_, CAMERA) is None  # a recording that starts over
    assert odometry.moved(2 * second_ns, picture_, CAMERA) is None  # five times as long as any pair of training
    assert odometry.moved(2 * second_ns + STEP_NS, picture_, CAMERA) is not None


def test_a_scene_without_a_menet_says_how_to_get_one(scene, tmp_path):
    other = make_scene(tmp_path / "other", {"a": COUNT})
    with pytest.raises(LearningError, match=r"record the odometry .*, or run `campose train .* --model menet`"):
        VisualOdometry.load(other)
    train(other, "menet", replace(QUICK, **SMALL, epochs=1))
    with pytest.raises(LearningError, match="is a posenet, no MeNet"):
        VisualOdometry.load(other)
