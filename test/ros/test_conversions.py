"""Messages and nouns, and the small parts of the node that need no wire."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")

from geometry_msgs.msg import Pose as PoseMessage

from campose_core.bag.images import header_stamp_ns
from campose_core.bag.ros_messages import pose_of, pose_of_transform
from campose_core.errors import GeometryError
from campose_core.floor import FloorMap
from campose_core.geometry import Pose, pose_error
from campose_core.localization.result import LocalizationResult, Status
from campose_ros import conversions
from campose_ros.input_watch import silent_for

numbers = st.floats(-100, 100)
poses = st.builds(
    lambda turn, where: Pose(Rotation.from_rotvec(turn), np.array(where)),
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.tuples(numbers, numbers, numbers),
)


@given(poses, st.integers(0, 2**31 * 10**9 - 1))
def test_poses_and_transforms_survive_the_message(pose: Pose, stamp_ns: int) -> None:
    stamped = conversions.pose_stamped("map", stamp_ns, pose)
    transform = conversions.transform_stamped("map", "base_link", stamp_ns, pose)
    assert header_stamp_ns(stamped) == stamp_ns
    assert header_stamp_ns(transform) == stamp_ns
    assert (transform.header.frame_id, transform.child_frame_id) == ("map", "base_link")
    for back in (pose_of(stamped.pose), pose_of_transform(transform)):
        assert pose_error(back, pose) == pytest.approx((0.0, 0.0), abs=1e-6)


def test_a_message_without_a_rotation_is_refused() -> None:
    message = PoseMessage()
    for w in (0.0, 0.5, 2.0, float("nan"), float("inf")):
        message.orientation.w = w
        with pytest.raises(GeometryError):
            pose_of(message)


def test_covariance_keeps_its_order() -> None:
    matrix = np.arange(36.0).reshape(6, 6)
    message = conversions.pose_with_covariance("map", 0, Pose.identity(), matrix)
    assert message.pose.covariance[1] == 1.0
    assert message.pose.covariance[6] == 6.0


def test_an_occupancy_grid_starts_at_the_smallest_y() -> None:
    cells = np.array([[0, 100, -1], [-1, 0, 50]], np.int8)
    grid = conversions.occupancy_grid("map", 5, FloorMap(cells, 0.1, (1.0, 2.0, np.pi / 2)))
    assert list(grid.data) == [0, 100, -1, -1, 0, 50]
    assert (grid.info.height, grid.info.width) == (2, 3)
    origin = pose_of(grid.info.origin)
    np.testing.assert_allclose(origin.translation, [1.0, 2.0, 0.0])
    assert origin.yaw() == pytest.approx(np.pi / 2)


def test_a_status_carries_the_stamp_of_its_image() -> None:
    result = LocalizationResult(1_234_567_890, Status.LOST, reason="no pose found in the image")
    message = conversions.status_message("localizer", result, 0.25)
    (status,) = message.status
    assert header_stamp_ns(message) == 1_234_567_890
    facts = {item.key: item.value for item in status.values}
    assert (facts["state"], facts["answered"], facts["latency_s"]) == ("LOST", "False", "0.250000")


@pytest.mark.parametrize(("interval_s", "silent"), [(1.0, True), (70.0, False)])
def test_a_slow_camera_is_not_silent_between_two_images(interval_s: float, silent: bool) -> None:
    assert (silent_for([100.0 - interval_s, 100.0], now=160.0, patience_s=0.8) > 0) == silent
    assert silent_for([100.0], now=160.0, patience_s=3600.0) == 0.0
    after_a_pause = [30.0, 99.0, 100.0]
    assert silent_for(after_a_pause, now=110.0, patience_s=0.8) == 10.0
