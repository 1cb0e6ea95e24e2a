"""Bags whose clock was set while they were recorded, or that tell no time: images, and what is compared with them."""

import numpy as np
import pytest
from clock_bags import TRUE, in_future, recorded, set_back, zero
from recordings import TOPIC, Messages, picture, write_bag

from campose_core.bag.imu import read_imu
from campose_core.bag.poses import read_poses
from campose_core.bag.tf import read_tf
from campose_core.capture.extract import extract
from campose_core.capture.mapped_recordings import clock_of
from campose_core.capture.recording import open_recording
from campose_core.errors import CaptureError
from campose_core.scene.scene import Scene


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["ros1", "sqlite3", "mcap"])
@pytest.mark.parametrize("change", [set_back, zero, in_future])
def test_every_image_is_read_at_a_stamp_in_order_and_odometry_imu_and_tf_go_with_it(
    tmp_path, capsys, change, kind, compressed
):
    path = recorded(tmp_path, change, kind, compressed)
    scene = extract(Scene.open_or_create(tmp_path / "scene"), [path])
    frames = [frame.stamp_ns for frame in scene.frames]
    np.testing.assert_allclose(np.array(frames) - TRUE[0], np.array(TRUE) - TRUE[0], atol=6_000_000)
    source = scene.sources["walk"]
    assert source["dropped"] == {}
    assert source["stamps"] in capsys.readouterr().err
    assert {set_back: "4 of 12", zero: "all 12", in_future: "1 of 12"}[change] in source["stamps"]

    clock = clock_of(Scene.open(tmp_path / "scene").sources["walk"])
    odometry = read_poses(path, "/odom", clock)
    imu = read_imu(path, "/imu", clock)
    np.testing.assert_array_equal(imu.stamps_ns, odometry.stamps_ns)
    answered, found = odometry.interpolate(frames[1:-1])
    assert answered.all()
    where = np.array([pose.translation[0] for _, pose in found])
    np.testing.assert_allclose(where, np.arange(1, 11) / 10, atol=0.013)
    if kind == "ros1":
        return
    tree = read_tf(path, clock)
    answered, found = tree.between("odom", "base_footprint", np.array(frames[1:-1]))
    assert answered.all()
    np.testing.assert_allclose([pose.translation[0] for _, pose in found], np.arange(1, 11) / 10, atol=0.013)


def test_poses_of_a_clock_that_was_set_are_read_without_images_as_well(tmp_path):
    path = recorded(tmp_path, in_future)
    assert len(read_poses(path, "/odom")) == len(read_imu(path)) == 12


def test_good_stamps_are_left_alone_and_nothing_is_said(tmp_path, capsys):
    path = recorded(tmp_path, lambda i, stamp_ns: stamp_ns)
    scene = extract(Scene.open_or_create(tmp_path / "scene"), [path])
    assert [frame.stamp_ns for frame in scene.frames] == TRUE
    assert "stamps" not in scene.sources["walk"]
    assert "clock" not in scene.sources["walk"]
    assert "stamps of" not in capsys.readouterr().err


def test_images_and_odometry_of_a_simulation_that_begins_at_zero_are_all_read(tmp_path, capsys):
    path = recorded(tmp_path, lambda i, stamp_ns: max(0, stamp_ns - TRUE[0] - 10_000_000 * (stamp_ns != TRUE[i])))
    recording = open_recording(path)
    frames = [frame.stamp_ns for frame in recording.frames()]
    assert frames == [1, *(stamp_ns - TRUE[0] for stamp_ns in TRUE[1:])]
    assert recording.dropped == {}
    odometry = read_poses(path, "/odom", recording.clock)
    answered, _ = odometry.interpolate(frames)
    assert answered.all()
    answered, _ = read_tf(path, recording.clock).between("odom", "base_footprint", np.array(frames))
    assert answered.all()
    assert not capsys.readouterr().err


def test_an_image_sent_twice_is_a_copy_and_another_one_of_the_same_stamp_is_none(tmp_path):
    make = Messages()
    shown = [0, 1, 1, 3, 4, 5, 6, 7, 8, 9]
    stamps = [TRUE[0], TRUE[1], TRUE[1], TRUE[3], TRUE[4], TRUE[4], *TRUE[6:10]]
    entries = [(TOPIC, TRUE[i], make.image(stamps[i], picture(shown[i]))) for i in range(10)]
    recording = open_recording(write_bag(tmp_path / "walk", entries))
    assert [frame.stamp_ns for frame in recording.frames()] == [TRUE[i] for i in range(10) if i != 2]
    assert recording.dropped == {"repeated stamp": 1}


def test_a_bag_that_tells_no_time_at_all_is_refused(tmp_path):
    make = Messages()
    path = write_bag(tmp_path / "walk", [(TOPIC, 7, make.image(0, picture(i))) for i in range(5)])
    with pytest.raises(CaptureError, match=r"neither.* header stamps nor log times .*\(5 zero stamp\)"):
        list(open_recording(path).frames())
