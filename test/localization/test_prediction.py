"""Driving on by odometry where nothing is recognized; an estimator that looks answers up stands in for landmarks."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scripted_estimator import CAMERA, PERIOD_NS, START_NS, ScriptedEstimator, at, stamp
from still_pictures import COVERED, textured

from campose_core.camera import Camera
from campose_core.frame import Frame
from campose_core.geometry import Pose, pose_error
from campose_core.localization.estimators.base import Kind, PoseEstimate, PosePrior
from campose_core.localization.localizer import Localizer
from campose_core.localization.options import LocalizerOptions
from campose_core.localization.result import LocalizationResult, Status

ODOM_FROM_MAP = at(7.0, 3.0, yaw=2.0)  # odometry starts somewhere else, as it always does
HERE, ELSEWHERE = textured(1), textured(2)


def drive(
    truth: list[Pose],
    seen: dict[int, Pose],
    images: dict[int, np.ndarray] | None = None,
    odometry: list[Pose | None] | None = None,
    **options: float,
) -> list[LocalizationResult]:
    """One result per pose, ten a second. seen: what landmarks show, by number; images: other than HERE."""
    localizer = Localizer(
        ScriptedEstimator({stamp(i): pose for i, pose in seen.items()}), options=LocalizerOptions(**options)
    )
    odometry = [ODOM_FROM_MAP * pose for pose in truth] if odometry is None else odometry
    results = []
    for i, wheels in enumerate(odometry):
        image = (images or {}).get(i, HERE)
        results.append(localizer.localize(Frame(stamp(i), image, "camera", str(i)), CAMERA, odom_from_base=wheels))
    return results


def onward(count: int, step_m: float = 0.05) -> list[Pose]:
    return [at(step_m * i) for i in range(count)]


def recognized(truth: list[Pose], *hidden: range) -> dict[int, Pose]:
    return {i: pose for i, pose in enumerate(truth) if not any(i in part for part in hidden)}


def test_the_pose_goes_on_by_odometry_and_says_how_unsure_it_grows() -> None:
    truth = onward(80)
    results = drive(truth, recognized(truth, range(20, 60)))
    assert {r.status for r in results[20:60]} == {Status.PREDICTED}
    assert {r.kind for r in results[20:60]} == {Kind.PREDICTED}
    for result, pose in zip(results[2:], truth[2:], strict=True):
        assert pose_error(result.map_from_base, pose)[0] < 0.02
        assert result.reason == ""
    sigmas = [np.linalg.eigvalsh(r.covariance[:3, :3])[-1] for r in results[20:60]]
    assert all(np.diff(sigmas) > 0)
    assert results[60].status is Status.TRACKING
    # What map -> odom is stays while nothing is seen.
    fixed = [
        r.map_from_base * (ODOM_FROM_MAP * pose).inverse() for r, pose in zip(results[20:60], truth[20:60], strict=True)
    ]
    assert max(pose_error(pose, fixed[0])[0] for pose in fixed) < 1e-9


def test_it_is_lost_where_the_bound_is_passed_and_not_by_a_clock() -> None:
    truth = onward(200)
    results = drive(truth, recognized(truth, range(20, 200)), lost_beyond_m=0.1)
    lost = next(i for i, r in enumerate(results) if r.status is Status.LOST)
    assert lost > 40
    assert np.linalg.eigvalsh(results[lost - 1].covariance[:3, :3])[-1] <= 0.1**2
    assert "lost_beyond_m 0.1" in results[lost].reason
    assert all(r.map_from_base is None for r in results[lost:])
    turning = [at(0.0, yaw=0.1 * i) for i in range(200)]
    results = drive(turning, recognized(turning, range(20, 200)), lost_beyond_deg=3.0)
    assert results[-1].status is Status.LOST


def test_without_odometry_it_is_lost_after_a_while() -> None:
    truth = onward(40)
    covered = dict.fromkeys(range(20, 40), COVERED)
    results = drive(truth, recognized(truth, range(20, 40)), images=covered, odometry=[None] * 40)
    assert results[-1].status is Status.LOST
    assert Status.PREDICTED not in {r.status for r in results}


def test_odometry_that_misses_an_image_costs_that_image_alone() -> None:
    truth = onward(60)
    odometry = [None if i == 30 else ODOM_FROM_MAP * pose for i, pose in enumerate(truth)]
    results = drive(truth, recognized(truth, range(20, 50)), odometry=odometry)
    assert [i for i, r in enumerate(results) if r.map_from_base is None] == [0, 1, 30]
    assert pose_error(results[40].map_from_base, truth[40])[0] < 0.02


def test_odometry_that_starts_over_ends_the_prediction() -> None:
    truth = onward(60)
    odometry = [ODOM_FROM_MAP * pose if i < 30 else pose for i, pose in enumerate(truth)]
    results = drive(truth, recognized(truth, range(20, 60)), odometry=odometry)
    assert all(r.map_from_base is None for r in results[30:])
    assert results[-1].status is Status.LOST


def test_landmarks_that_contradict_the_prediction_are_believed_when_a_second_one_agrees() -> None:
    truth = onward(60)
    seen = recognized(truth, range(20, 60)) | {i: at(0.05 * i + 0.6) for i in (40, 41, 42)}
    results = drive(truth, seen)
    assert results[39].status is Status.PREDICTED
    assert results[40].map_from_base is None
    assert "contradict" in results[40].reason
    assert results[41].status is Status.TRACKING
    assert pose_error(results[41].map_from_base, seen[41])[0] < 1e-6
    alone = drive(truth, recognized(truth, range(20, 60)) | {40: at(2.6)})
    assert [r.map_from_base is None for r in alone[39:42]] == [False, True, False]


def test_one_image_of_elsewhere_is_not_believed_against_the_wheels_and_two_are() -> None:
    truth = onward(40)
    elsewhere = [at(0.05 * i + 0.2) for i in range(40)]  # within what a robot may drive between two images
    alone = drive(truth, recognized(truth) | {20: elsewhere[20]})
    assert alone[20].map_from_base is None
    assert "contradict" in alone[20].reason
    for i in (*range(2, 20), *range(21, 40)):
        assert alone[i].status is Status.TRACKING
        assert pose_error(alone[i].map_from_base, truth[i])[0] < 0.02
    carried = drive(truth, recognized(truth) | {i: elsewhere[i] for i in range(20, 40)})
    assert carried[20].map_from_base is None
    for i in range(21, 40):
        assert pose_error(carried[i].map_from_base, elsewhere[i])[0] < 0.02


class WeakAfter(ScriptedEstimator):
    """Few landmarks are left from an image on: poses are poorly known."""

    first = 20

    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> list[PoseEstimate]:
        found = super().estimate(frame, camera, prior)
        weak = np.diag([0.03**2] * 3 + [0.02**2] * 3)
        return [one._replace(covariance=weak) if frame.stamp_ns >= stamp(self.first) else one for one in found]


def test_few_landmarks_move_no_pose_that_the_wheels_know_better_and_many_do() -> None:
    truth, off = onward(60), 0.06
    seen = {i: pose if i < 20 else at(0.05 * i + off) for i, pose in enumerate(truth)}

    def driven(estimator: ScriptedEstimator) -> list[LocalizationResult]:
        localizer = Localizer(estimator)
        return [
            localizer.localize(Frame(stamp(i), HERE, "camera", ""), CAMERA, odom_from_base=ODOM_FROM_MAP * pose)
            for i, pose in enumerate(truth)
        ]

    poses = {stamp(i): pose for i, pose in seen.items()}
    few, many = driven(WeakAfter(poses)), driven(ScriptedEstimator(poses))
    assert {r.status for results in (few, many) for r in results[2:]} == {Status.TRACKING}
    assert all(pose_error(r.map_from_base, truth[20 + i])[0] < 0.005 for i, r in enumerate(few[20:24]))
    assert all(pose_error(r.map_from_base, seen[20 + i])[0] < 1e-6 for i, r in enumerate(many[20:24]))
    sigmas = [np.sqrt(r.covariance[0, 0]) for r in few[20:]]
    assert max(sigmas) < 0.031  # as the way grows, the landmarks know better again
    assert pose_error(few[-1].map_from_base, seen[59])[0] < 1e-6 or sigmas[-1] * 3.0 < 0.03


def test_landmarks_that_agree_with_the_prediction_are_believed_at_once() -> None:
    truth = onward(60)
    results = drive(truth, recognized(truth, range(20, 40)))
    assert results[40].status is Status.TRACKING


@pytest.mark.parametrize("tracked_before", [0, 10])
def test_wheels_that_stand_while_the_picture_changes_are_no_prediction(tracked_before: int) -> None:
    """Carried off, while landmarks were seen and while they were not; no pose of the old place is given out."""
    hidden = range(30 - tracked_before, 70)
    truth = [*onward(20), *[at(0.95)] * 50]
    results = drive(truth, recognized(truth, hidden), images=dict.fromkeys(range(30, 70), ELSEWHERE))
    assert all(r.map_from_base is None for r in results[30:])
    assert results[30 + 9].status is Status.LOST
    assert any("the wheels stand and the picture is of elsewhere" in r.reason for r in results)


def test_a_picture_that_is_gone_ends_it_only_where_the_wheels_stand() -> None:
    standing = [*onward(20), *[at(0.95)] * 50]
    covered = dict.fromkeys(range(30, 70), COVERED)
    results = drive(standing, recognized(standing, range(30, 70)), images=covered)
    ended = next(i for i, r in enumerate(results) if r.status is Status.LOST)
    assert 0.8 <= (ended - 30) * PERIOD_NS * 1e-9 <= 1.0
    assert "dark, or covered" in results[ended].reason
    assert all(r.map_from_base is None for r in results[33:])  # it may have been carried out of what is known
    driving = onward(70)
    results = drive(driving, recognized(driving, range(30, 70)), images=covered)
    assert all(r.status is Status.PREDICTED for r in results[30:])


def test_what_appears_after_a_picture_that_was_gone_is_compared_with_what_was_before() -> None:
    standing = [*onward(20), *[at(0.95)] * 30]
    hidden = range(25, 50)
    dark = dict.fromkeys(range(30, 34), COVERED)
    again = drive(standing, recognized(standing, hidden), images=dark)
    assert all(r.status is Status.PREDICTED and r.map_from_base is not None for r in again[34:])
    elsewhere = drive(standing, recognized(standing, hidden), images=dark | dict.fromkeys(range(34, 50), ELSEWHERE))
    never_seen = drive(standing, recognized(standing, hidden), images=dict.fromkeys(range(18, 34), COVERED))
    for results, last in ((elsewhere, 34), (never_seen, 28)):
        assert all(r.map_from_base is None for r in results[last:])
        assert results[-1].status is Status.LOST


def test_a_stop_in_the_dark_is_answered_as_unsure_as_a_robot_that_is_carried_off_and_taken_back_when_it_drives_on() -> (
    None
):
    """Wheels that stand for two images, at number 30 and 31, in a picture that is gone from 25 to 49."""
    truth = [*onward(30), at(1.45), at(1.45), *[at(1.45 + 0.05 * i) for i in range(1, 29)]]
    results = drive(truth, recognized(truth, range(25, 50)), images=dict.fromkeys(range(25, 50), COVERED))
    assert all(r.map_from_base is not None for r in results[2:])
    assert {r.status for r in results[25:50]} == {Status.PREDICTED}
    moving, first, second, again = (np.diagonal(results[i].covariance) for i in (29, 30, 31, 32))
    for stands, seconds in ((first, 0.1), (second, 0.2)):
        assert np.all(np.sqrt(stands[:3] - moving[:3]) >= 0.69 * seconds)
        assert np.all(np.degrees(np.sqrt(stands[3:] - moving[3:])) >= 28.0 * seconds)
    assert np.all(again < 1.5 * moving)


@pytest.mark.parametrize("rate_hz", [5, 10, 30])
@pytest.mark.parametrize("speed_mps", [0.5, 2.0])
def test_a_robot_that_is_carried_off_in_the_dark_is_nowhere_answered_wrongly(rate_hz: int, speed_mps: float) -> None:
    """It drives in the dark, stops, and is carried: the truth stays within three standard deviations until LOST."""
    dark, stops = rate_hz, rate_hz * 2
    stamps = [START_NS + i * 10**9 // rate_hz for i in range(stops + 2 * rate_hz)]
    driven = [at(0.3 * min(i, stops) / rate_hz) for i in range(len(stamps))]
    truths = [at(pose.translation[0], 1.0 + speed_mps * max(0, i - stops) / rate_hz) for i, pose in enumerate(driven)]
    localizer = Localizer(ScriptedEstimator(dict(zip(stamps[:dark], driven, strict=False))))
    results = []
    for i, (stamp_ns, wheels) in enumerate(zip(stamps, driven, strict=True)):
        shot = Frame(stamp_ns, HERE if i < dark else COVERED, "camera", str(i))
        results.append(localizer.localize(shot, CAMERA, odom_from_base=ODOM_FROM_MAP * wheels))
    for truth, result in zip(truths[stops:], results[stops:], strict=True):
        if result.map_from_base is not None:
            off = result.map_from_base.translation - truth.translation
            assert off @ np.linalg.solve(result.covariance[:3, :3], off) < 3.0**2
            assert np.linalg.norm(off) < 1.0
    assert results[stops + 1].map_from_base is not None
    first_dark, lost = stops + 1, next(i for i, r in enumerate(results) if r.status is Status.LOST)
    assert (lost - first_dark) / rate_hz <= 1.0


def test_a_camera_that_hung_while_the_robot_was_carried_off_in_the_dark_is_not_answered() -> None:
    truth = onward(25)
    localizer = Localizer(ScriptedEstimator({stamp(i): pose for i, pose in enumerate(truth[:20])}))
    for i, pose in enumerate(truth):
        image = HERE if i < 20 else COVERED
        localizer.localize(Frame(stamp(i), image, "camera", ""), CAMERA, odom_from_base=ODOM_FROM_MAP * pose)
    after = localizer.localize(
        Frame(stamp(31), COVERED, "camera", ""), CAMERA, odom_from_base=ODOM_FROM_MAP * truth[-1]
    )
    assert after.map_from_base is None
    assert "dark, or covered" in after.reason


def test_somebody_who_hides_half_of_the_picture_is_no_other_place() -> None:
    person = HERE.copy()
    person[:, 20:180] = 25
    truth = [*onward(20), *[at(0.95)] * 40]
    results = drive(truth, recognized(truth, range(20, 60)), images=dict.fromkeys(range(30, 45), person))
    assert all(r.status is Status.PREDICTED for r in results[21:])


def test_of_two_cameras_one_that_sees_is_enough_to_track() -> None:
    truth = onward(40)
    seen = {stamp(i): pose for i, pose in enumerate(truth) if i % 2 == 0}
    localizer = Localizer(ScriptedEstimator(seen))
    for i, pose in enumerate(truth):
        frame = Frame(stamp(i), HERE, f"camera{i % 2}", str(i))
        result = localizer.localize(frame, CAMERA, odom_from_base=ODOM_FROM_MAP * pose)
        assert result.status is not Status.PREDICTED
    assert localizer.status is Status.TRACKING


def turning(count: int, camera: Camera, rad: float) -> list[np.ndarray]:
    """What a camera on the spot sees of far things, that turns to the left by `rad` from image to image."""
    wide = np.concatenate([textured(3), textured(4)], axis=1)
    shift = camera.focal[0] * rad
    return [np.ascontiguousarray(wide[:, round(320 - i * shift) :][:, :320]) for i in range(count)]


def test_without_odometry_what_the_images_show_carries_it_over_a_moment_and_no_longer() -> None:
    camera, rad = Camera("PINHOLE", 320, 240, (400.0, 400.0, 159.5, 119.5)), 0.01
    # Optical axes: x right, y down, z forward; a turn to the left is one about -y.
    looks = [Pose(Rotation.from_rotvec([0.0, -rad * i, 0.0]), np.zeros(3)) for i in range(25)]
    localizer = Localizer(ScriptedEstimator({stamp(i): pose for i, pose in enumerate(looks[:10])}))
    results = []
    for i, image in enumerate(turning(25, camera, rad)):
        results.append(localizer.localize(Frame(stamp(i), image, "camera", str(i)), camera))
    carried = [i for i, r in enumerate(results) if r.status is Status.PREDICTED and r.map_from_base is not None]
    assert carried == list(range(10, 10 + len(carried)))
    assert 4 <= len(carried) <= 10
    for i in carried:
        assert pose_error(results[i].map_from_cam, looks[i])[1] < 0.01
    assert results[-1].status is Status.LOST
    covered = Localizer(ScriptedEstimator({stamp(i): pose for i, pose in enumerate(looks[:10])}))
    for i in range(12):
        image = COVERED if i >= 10 else textured(3)
        assert covered.localize(Frame(stamp(i), image, "camera", str(i)), camera).map_from_base is None or i < 10
