"""How a camera moved, out of what a robot records about itself."""

import numpy as np
import pytest
from bag_messages import TYPES, pose_message, static
from hypothesis import given
from hypothesis import strategies as st
from learnable import BASE_FROM_CAM, ODOM_FROM_MAP, walk, write_walk_bag
from PIL import Image
from recordings import START_NS, Messages, write_bag
from strategies import poses

from campose_core.bag.odometry import camera_odometry, read_mounting
from campose_core.bag.writer import BASE_FRAME, CAMERA_FRAME
from campose_core.errors import CaptureError
from campose_core.geometry import Pose, pose_error
from campose_core.trajectory import Trajectory

WALK = walk(12)


def odometry_entries(make: Messages, topic: str = "/odom", count: int = 4):
    for i in range(count):
        stamp_ns = START_NS + i * 100_000_000
        yield topic, stamp_ns, pose_message(make, TYPES[0], stamp_ns, (0.5 * i, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))


@given(st.lists(poses, min_size=1, max_size=5), poses)
def test_another_body_on_the_robot_moves_with_it(listed, child_from_other):
    moved = Trajectory.from_poses(range(len(listed)), listed, "odom", "base").moved_by(child_from_other, "lens")
    assert (moved.frame_id, moved.child_frame_id) == ("odom", "lens")
    assert moved.stamps_ns.tolist() == list(range(len(listed)))
    for (_, found), pose in zip(moved, listed, strict=True):
        assert max(pose_error(found, pose * child_from_other)) < 1e-6
    back = moved.moved_by(child_from_other.inverse(), "base")
    np.testing.assert_allclose(back.positions, [pose.translation for pose in listed], atol=1e-9)


def test_the_camera_moves_as_it_was_carried(tmp_path):
    path = write_walk_bag(tmp_path / "walk", WALK)
    found = camera_odometry(path, CAMERA_FRAME)
    assert found.frame_id == "odom"
    assert len(found) == len(WALK)
    for (_, odom_from_cam), map_from_cam in zip(found, WALK, strict=True):
        assert max(pose_error(odom_from_cam, ODOM_FROM_MAP * map_from_cam)) < 1e-6


def test_the_mounting_leads_over_all_links_between(tmp_path):
    make = Messages()
    mast = Pose.from_quat_xyzw([0.0, 0.0, 0.6, 0.8], [0.2, 0.0, 1.0])
    head = Pose.from_quat_xyzw([0.1, 0.2, 0.3, 0.9], [0.0, 0.05, 0.1])
    lidar = ("base_footprint", "lidar", head)
    entries = [
        ("/tf_static", START_NS, static(make, ("mast", "camera", head), lidar)),
        # Another driver publishes its own link.
        ("/tf_static", START_NS + 1, static(make, ("base_footprint", "mast", mast))),
        *odometry_entries(make),
    ]
    path = write_bag(tmp_path / "walk", entries)
    assert max(pose_error(read_mounting(path, "base_footprint", "camera"), mast * head)) < 1e-7
    assert max(pose_error(read_mounting(path, "base_footprint", "base_footprint"), Pose.identity())) == 0.0
    found = camera_odometry(path, "camera")
    for i, (_, pose) in enumerate(found):
        base = Pose.from_quat_xyzw([0, 0, 0, 1], [0.5 * i, 0, 0])
        assert max(pose_error(pose, base * mast * head)) < 1e-6


def test_what_has_no_odometry_has_none(tmp_path):
    assert camera_odometry(write_walk_bag(tmp_path / "walk", WALK, with_odometry=False), CAMERA_FRAME) is None
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "pictures" / "0.jpg")
    assert camera_odometry(tmp_path / "pictures", "") is None


def test_a_camera_that_sits_nowhere_is_refused(tmp_path):
    path = write_walk_bag(tmp_path / "walk", WALK, mounted=False)
    with pytest.raises(CaptureError, match=r"no static transform leads from base_link to camera_optical_frame .*none"):
        camera_odometry(path, CAMERA_FRAME)
    path = write_walk_bag(tmp_path / "mounted", WALK)
    with pytest.raises(CaptureError, match=rf"to left_camera .*{BASE_FRAME} -> {CAMERA_FRAME}\): record /tf_static"):
        camera_odometry(path, "left_camera")


def test_links_that_run_in_a_circle_lead_nowhere(tmp_path):
    make = Messages()
    circle = static(make, ("a", "camera", Pose.identity()), ("camera", "a", BASE_FROM_CAM))
    path = write_bag(tmp_path / "walk", [("/tf_static", START_NS, circle), *odometry_entries(make)])
    with pytest.raises(CaptureError, match="no static transform leads from base_footprint to camera"):
        camera_odometry(path, "camera")


def test_of_two_odometries_none_is_guessed(tmp_path):
    make = Messages()
    entries = [*odometry_entries(make), *odometry_entries(make, "/visual_odom")]
    path = write_bag(tmp_path / "walk", sorted(entries, key=lambda entry: entry[1]))
    with pytest.raises(CaptureError, match=r"has the odometries /odom, /visual_odom: leave one"):
        camera_odometry(path, "camera")
