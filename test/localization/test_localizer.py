"""The localizer over scripted trajectories: an estimator that looks its answers up stands in for the camera's."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scripted_estimator import CAMERA, ScriptedEstimator, at, frame, stamp

from campose_core.camera import Camera
from campose_core.errors import LocalizationError
from campose_core.floor import FREE, OCCUPIED, FloorMap
from campose_core.frame import Frame
from campose_core.geometry import Pose, pose_error
from campose_core.localization.estimators.base import Kind, PoseEstimate, PosePrior
from campose_core.localization.localizer import Localizer
from campose_core.localization.options import LocalizerOptions
from campose_core.localization.result import LocalizationResult, Status
from campose_core.walkable import WalkableMap


def run(script: list[Pose | None], **settings) -> list[LocalizationResult]:
    """One result per scripted answer, ten images a second."""
    poses = {stamp(i): pose for i, pose in enumerate(script) if pose is not None}
    localizer = Localizer(ScriptedEstimator(poses), **settings)
    return [localizer.localize(frame(stamp(i)), CAMERA) for i in range(len(script))]


def walk(count: int, start_m: float = 0.0, step_m: float = 0.05) -> list[Pose | None]:
    return [at(start_m + i * step_m) for i in range(count)]


def test_the_first_pose_is_believed_once_three_agree() -> None:
    results = run(walk(6))
    assert [r.status for r in results] == [Status.INITIALIZING] * 2 + [Status.TRACKING] * 4
    assert [r.map_from_cam is None for r in results] == [True, True, False, False, False, False]
    assert results[1].reason == "a first pose: 2 of 3 agreeing estimates"
    assert pose_error(results[5].map_from_base, at(0.25)) == pytest.approx((0.0, 0.0), abs=1e-6)


def test_poses_that_contradict_each_other_are_never_believed() -> None:
    results = run([at(3.0 * (i % 2)) for i in range(20)])
    assert {r.status for r in results} == {Status.INITIALIZING}


def test_a_single_jump_is_not_published_and_tracking_goes_on() -> None:
    script = walk(10)
    script[6] = at(4.0)
    results = run(script)
    assert results[6].map_from_cam is None
    assert results[6].reason == "a jump: 1 of 3 agreeing estimates"
    assert results[6].status is Status.TRACKING
    assert results[7].map_from_cam is not None


def test_a_turn_faster_than_the_body_can_is_a_jump() -> None:
    script = walk(8)
    script[6] = at(0.3, yaw=math.pi / 2)
    assert run(script)[6].reason.startswith("a jump")
    script[6] = at(0.3, yaw=0.3)
    assert run(script)[6].map_from_cam is not None


def test_a_jump_confirmed_by_consecutive_estimates_is_followed() -> None:
    results = run(walk(6) + walk(5, start_m=9.0))
    assert [r.map_from_cam is not None for r in results[6:]] == [False, False, True, True, True]
    assert results[8].map_from_cam.translation[0] == pytest.approx(9.1)


def test_a_missing_estimate_breaks_the_confirmation() -> None:
    results = run([*walk(6), at(9.0), at(9.0), None, at(9.0), at(9.0), at(9.0)])
    assert [r.map_from_cam is not None for r in results[6:]] == [False] * 5 + [True]


def test_a_noisy_estimator_is_given_its_noise() -> None:
    noise = np.random.default_rng(3).normal(0.0, 0.3, 30)
    poses = {stamp(i): at(5.0 + float(noise[i])) for i in range(30)}
    localizer = Localizer(ScriptedEstimator(poses, sigma_m=0.3))
    results = [localizer.localize(frame(stamp(i)), CAMERA) for i in range(30)]
    assert all(r.map_from_cam is not None for r in results[2:])


def test_lost_after_misses_in_a_row_and_found_again() -> None:
    options = LocalizerOptions(lost_after_misses=4, lost_after_s=60.0)
    results = run([*walk(5), *[None] * 6, *walk(4, start_m=2.0)], options=options)
    states = [r.status for r in results[5:]]
    assert states == [Status.TRACKING] * 3 + [Status.LOST] * 5 + [Status.TRACKING] * 2
    assert results[7].reason == "no pose found in the image"


def test_lost_after_silence() -> None:
    localizer = Localizer(ScriptedEstimator({stamp(i): at(0.0) for i in (0, 1, 2, 3, 40, 41, 42)}))
    states = [localizer.localize(frame(stamp(i)), CAMERA).status for i in (0, 1, 2, 3, 40, 41, 42)]
    assert states[3:] == [Status.TRACKING, Status.LOST, Status.LOST, Status.TRACKING]


def test_never_found_stays_initializing() -> None:
    assert {r.status for r in run([None] * 40)} == {Status.INITIALIZING}


def test_a_stamp_that_goes_back_starts_over() -> None:
    localizer = Localizer(ScriptedEstimator({stamp(i): at(0.1 * i) for i in range(20)}))
    first = [localizer.localize(frame(stamp(i)), CAMERA) for i in range(20)]
    again = [localizer.localize(frame(stamp(i)), CAMERA) for i in range(20)]
    assert again[0].status is Status.INITIALIZING
    assert [r.status for r in again] == [r.status for r in first]
    assert [r.map_from_cam is None for r in again] == [r.map_from_cam is None for r in first]


def test_reset_forgets() -> None:
    localizer = Localizer(ScriptedEstimator({stamp(i): at(0.0) for i in range(10)}))
    for i in range(5):
        localizer.localize(frame(stamp(i)), CAMERA)
    assert localizer.status is Status.TRACKING
    localizer.reset()
    assert localizer.status is Status.INITIALIZING
    assert localizer.localize(frame(stamp(6)), CAMERA).map_from_cam is None


def test_an_estimate_without_finite_covariance_is_no_estimate() -> None:
    estimator = ScriptedEstimator({stamp(i): at(0.0) for i in range(5)}, sigma_m=math.nan)
    localizer = Localizer(estimator)
    assert all(localizer.localize(frame(stamp(i)), CAMERA).map_from_cam is None for i in range(5))


def test_the_base_stands_where_the_camera_is_mounted() -> None:
    """A camera 0.2 m ahead of and 0.5 m above the base, looking forward along the map's y axis."""
    map_from_cam = Pose(Rotation.from_matrix([[1, 0, 0], [0, 0, 1], [0, -1, 0]]), np.array([3.0, 2.0, 0.5]))
    base_from_cam = Pose(Rotation.from_matrix([[0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([0.2, 0.0, 0.5]))
    result = run([map_from_cam] * 3, base_from_cam=base_from_cam)[2]
    np.testing.assert_allclose(result.map_from_base.translation, [3.0, 1.8, 0.0], atol=1e-9)
    assert result.map_from_base.yaw() == pytest.approx(math.pi / 2)
    # A turn of the camera by w about z moves the base, 0.2 m behind it, sideways by 0.2 w.
    assert result.covariance[0, 0] == pytest.approx(0.005**2 + 0.5**2 * 1e-6 + 0.2**2 * 1e-6)


def test_snapping_moves_x_and_y_to_the_floor_and_nothing_else() -> None:
    cells = np.full((40, 80), FREE, np.int8)
    cells[[0, -1], :] = OCCUPIED
    walkable = WalkableMap.from_floor(FloorMap(cells, 0.05), radius_m=0.2, max_snap_m=0.5)
    results = run([at(1.0 + 0.05 * i, y=0.4 - 0.04 * i, yaw=0.3) for i in range(10)], walkable=walkable)
    for result in results[2:]:
        raw, snapped = result.map_from_base, result.snapped_map_from_base
        assert walkable.is_walkable(*snapped.translation[:2])
        assert snapped.translation[2] == raw.translation[2]
        np.testing.assert_array_equal(snapped.quat_xyzw, raw.quat_xyzw)
        moved_m = np.linalg.norm(snapped.translation - raw.translation)
        assert moved_m == pytest.approx(result.snap_distance_m, abs=1e-9)
        assert result.on_floor is snapped
    assert results[2].snap_distance_m == 0.0
    assert results[9].snap_distance_m > 0.1


def test_a_pose_off_the_map_is_flagged_and_not_moved() -> None:
    cells = np.full((40, 40), FREE, np.int8)
    walkable = WalkableMap.from_floor(FloorMap(cells, 0.05), radius_m=0.2, max_snap_m=0.5)
    result = run([at(9.0)] * 3, walkable=walkable)[2]
    assert result.status is Status.TRACKING
    assert result.off_map
    assert result.snapped_map_from_base is None
    assert result.on_floor is None
    assert pose_error(result.map_from_base, at(9.0))[0] == 0.0


def test_a_pose_behind_a_wall_snaps_to_the_room_it_came_from() -> None:
    cells = np.full((80, 80), FREE, np.int8)
    cells[:, 38:42] = OCCUPIED  # a wall from x = 1.9 m to 2.1 m
    cells[:10, 38:42] = FREE  # with a door, so that both rooms are walkable
    walkable = WalkableMap.from_floor(FloorMap(cells, 0.05), radius_m=0.0, max_snap_m=0.5)
    from_left = run([at(x, y=2.0) for x in (1.7, 1.75, 1.8, 1.85, 1.95, 2.05)], walkable=walkable)
    from_right = run([at(x, y=2.0) for x in (2.3, 2.25, 2.2, 2.15, 2.05, 1.95)], walkable=walkable)
    assert from_left[-1].snapped_map_from_base.translation[0] < 1.9
    assert from_right[-1].snapped_map_from_base.translation[0] > 2.1


def test_intrinsics_follow_the_image_size_but_not_another_shape() -> None:
    localizer = Localizer(ScriptedEstimator({}))
    localizer.localize(frame(stamp(0), 128, 96), CAMERA)
    with pytest.raises(LocalizationError, match=r"the image is 64x64, its camera 64x48"):
        localizer.localize(frame(stamp(1), 64, 64), CAMERA)


@pytest.mark.parametrize("field", list(vars(LocalizerOptions())))
@pytest.mark.parametrize("value", [0, -1, math.nan])
def test_options_refuse_what_is_not_positive(field: str, value: float) -> None:
    with pytest.raises(LocalizationError, match=f"{field} must be positive"):
        LocalizerOptions(**{field: value})


def seen_by_two(rear_m: float, images: range, localizer: Localizer) -> list[LocalizationResult]:
    """Results of a front camera that sees the body at x = 0, and of a rear one that sees it at rear_m, in turns."""
    results = []
    for i in images:
        camera = ("front", "rear")[i % 2]
        localizer.estimator = ScriptedEstimator({stamp(i): at(rear_m * (i % 2))})
        results.append(localizer.localize(frame(stamp(i))._replace(camera_frame=camera), CAMERA))
    return results


CONTRADICTION = "front and rear contradict each other: check base_from_camera"


def test_two_cameras_whose_mountings_contradict_each_other_are_named() -> None:
    localizer = Localizer(ScriptedEstimator({}))
    results = seen_by_two(9.0, range(40), localizer)
    assert {r.status for r in results} == {Status.INITIALIZING}
    assert {r.reason for r in results[6:]} == {f"a first pose: {CONTRADICTION}"}


def test_a_camera_that_begins_to_contradict_the_other_is_named_while_tracking_goes_on() -> None:
    localizer = Localizer(ScriptedEstimator({}))
    assert {r.status for r in seen_by_two(0.0, range(10), localizer)[2:]} == {Status.TRACKING}
    assert not localizer.contradiction
    results = seen_by_two(9.0, range(10, 50), localizer)
    assert {r.status for r in results} == {Status.TRACKING}
    assert localizer.contradiction == results[-1].reason == CONTRADICTION
    # A few estimates may be mistaken, and what was mended is forgotten.
    assert [r.reason for r in results[1:8:2]] == ["a jump: 1 of 3 agreeing estimates"] * 4
    seen_by_two(0.0, range(50, 52), localizer)
    assert not localizer.contradiction


def test_a_body_that_is_carried_is_no_contradiction_of_its_cameras() -> None:
    localizer = Localizer(ScriptedEstimator({}))
    seen_by_two(0.0, range(10), localizer)
    for i in range(10, 40):
        localizer.estimator = ScriptedEstimator({stamp(i): at(9.0)})
        result = localizer.localize(frame(stamp(i))._replace(camera_frame=("front", "rear")[i % 2]), CAMERA)
    assert result.status is Status.TRACKING
    assert not localizer.contradiction


class AlikePlaces:
    """Sees in each image two places, 10 m apart, that look the same."""

    name = "alike"

    def refresh(self) -> None:
        pass

    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> list[PoseEstimate]:
        covariance = np.diag([1e-5] * 3 + [1e-6] * 3)
        return [PoseEstimate(frame.stamp_ns, at(x), covariance, 50, Kind.RELOCALIZED) for x in (0.0, 10.0)]


def test_places_that_look_alike_are_no_pose_until_somebody_says_which() -> None:
    localizer = Localizer(AlikePlaces())
    results = [localizer.localize(frame(stamp(i)), CAMERA) for i in range(20)]
    assert {r.status for r in results} == {Status.INITIALIZING}
    assert results[-1].reason == "2 places look alike"
    localizer.reset(near=at(8.0))
    told = [localizer.localize(frame(stamp(20 + i)), CAMERA) for i in range(6)]
    assert told[2].map_from_cam is not None
    assert all(r.map_from_cam.translation[0] == 10.0 for r in told[2:])


def drive_with(
    odometry, noise_m: float = 0.05, count: int = 60, kind: Kind = Kind.LEARNED
) -> tuple[list[LocalizationResult], list[Pose]]:
    """A straight drive whose estimates are noisy; `odometry(i, truth)` is what the wheels say."""
    truth = [at(0.05 * i) for i in range(count)]
    noise = np.random.default_rng(5).normal(0.0, noise_m, (count, 3))
    seen = {stamp(i): Pose(pose.rotation, pose.translation + noise[i]) for i, pose in enumerate(truth)}
    localizer = Localizer(ScriptedEstimator(seen, noise_m, kind))
    results = [
        localizer.localize(frame(stamp(i)), CAMERA, odom_from_base=odometry(i, pose)) for i, pose in enumerate(truth)
    ]
    return results, truth


def errors_m(results: list[LocalizationResult], truth: list[Pose]) -> np.ndarray:
    pairs = zip(results, truth, strict=True)
    return np.array([pose_error(r.map_from_base, pose)[0] for r, pose in pairs if r.map_from_base is not None])


def test_odometry_steadies_noisy_poses() -> None:
    """The odometry starts somewhere else, as it always does."""
    odom_from_map = at(7.0, 3.0, yaw=2.0)
    alone, truth = drive_with(lambda i, pose: None)
    fused, _ = drive_with(lambda i, pose: odom_from_map * pose)
    assert len(errors_m(fused, truth)) == len(errors_m(alone, truth)) == 58
    assert errors_m(fused, truth)[-30:].mean() < 0.7 * errors_m(alone, truth)[-30:].mean()


@pytest.mark.parametrize("kind", [Kind.TRACKED, Kind.LEARNED])
@pytest.mark.parametrize("jump", [at(40.0), at(0.0, yaw=3.0), at(-1.0)])
def test_odometry_that_jumps_is_left_out(jump: Pose, kind: Kind) -> None:
    results, truth = drive_with(lambda i, pose: jump * pose if i >= 30 else pose, noise_m=0.003, kind=kind)
    assert errors_m(results, truth).max() < 0.03
    assert len(errors_m(results, truth)) == 58


def test_odometry_that_comes_and_goes_costs_no_pose() -> None:
    results, truth = drive_with(lambda i, pose: pose if i % 7 else None, noise_m=0.003)
    assert len(errors_m(results, truth)) == 58
    assert errors_m(results, truth).max() < 0.03


def test_wheels_that_slip_are_overruled_by_the_images() -> None:
    """The wheels turn and the robot stands: odometry within the limits, and wrong."""
    stands = [at(1.0)] * 60
    localizer = Localizer(ScriptedEstimator({stamp(i): pose for i, pose in enumerate(stands)}))
    results = [localizer.localize(frame(stamp(i)), CAMERA, odom_from_base=at(0.05 * max(0, i - 20))) for i in range(60)]
    assert errors_m(results, stands).max() < 0.05


answers = st.one_of(st.none(), st.builds(at, st.sampled_from([0.0, 0.1, 5.0])))


@settings(max_examples=50, deadline=None)
@given(st.lists(answers, max_size=30))
def test_any_script_gives_poses_only_while_tracking_and_the_same_twice(script: list[Pose | None]) -> None:
    first, second = run(script), run(script)
    for i, (result, again) in enumerate(zip(first, second, strict=True)):
        assert (result.status, result.reason, result.map_from_cam) == (again.status, again.reason, again.map_from_cam)
        assert result.map_from_cam is None or result.status is Status.TRACKING
        assert result.map_from_cam in (None, script[i])
        assert (result.map_from_base is None) == bool(result.reason)


def test_what_was_seen_before_a_pause_of_the_camera_confirms_nothing_after_it():
    poses = {stamp(0): at(0.0), stamp(1): at(0.05), **{stamp(600 + i): at(80.0) for i in range(3)}}
    localizer = Localizer(ScriptedEstimator(poses))
    statuses = [localizer.localize(frame(stamp_ns), CAMERA).status for stamp_ns in poses]
    assert statuses == [Status.INITIALIZING] * 4 + [Status.TRACKING]


def test_other_options_hold_from_the_next_image_and_what_is_believed_stays() -> None:
    places = [at(1.0), at(1.0), at(1.0), at(1.8), at(2.6)]
    poses = {stamp(i): pose for i, pose in enumerate(places)}
    localizer = Localizer(ScriptedEstimator(poses))
    results = [localizer.localize(frame(stamp(i)), CAMERA) for i in range(4)]
    assert [result.map_from_base is not None for result in results] == [False, False, True, False]
    localizer.take_options(LocalizerOptions(max_speed_mps=20.0, confirmations=1))
    assert localizer.status is Status.TRACKING
    after = localizer.localize(frame(stamp(4)), CAMERA)
    assert after.map_from_base is not None
    localizer.reset()
    assert localizer.localize(frame(stamp(4)), CAMERA).status is Status.TRACKING  # one confirmation is enough now
