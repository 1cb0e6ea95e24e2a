"""`campose replay --imu`: a bag with an IMU, through the node's own localizer."""

import numpy as np
import pytest
from bag_messages import imu_message, static
from imu_walks import NOISE
from recordings import Messages, write_bag
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from campose_core.bag.file import open_bag
from campose_core.bag.writer import BASE_FRAME, CAMERA_FRAME
from campose_core.cli.main import main
from campose_core.evaluation.estimates import read_estimates
from campose_core.evaluation.metrics import evaluate
from campose_core.geometry import Pose
from campose_core.inertial.error_state_filter import GRAVITY
from campose_core.simulation.building import build_world
from campose_core.simulation.drive import BASE_FROM_CAM, drive
from campose_core.trajectory import read_tum

BASE_FROM_IMU = Pose(Rotation.from_euler("xyz", [180.0, 0.0, 30.0], degrees=True), np.array([0.0, 0.05, 0.2]))


def with_imu(bag, out, accel_factor=1.0):
    """The bag of the small world's later drive, with an IMU on the robot."""
    make, generator = Messages(), np.random.default_rng(0)
    with open_bag(bag) as opened:
        kept = {topic.name for topic in opened.topics} - {"/tf_static"}
        entries = [(m.topic, m.log_ns, m.msgtype, m.data) for m in opened.serialized(kept)]
    driven = drive(build_world("small", 0), "later", 20.0)
    seconds = (driven.stamps_ns - driven.stamps_ns[0]) / 1e9
    headings = np.unwrap(driven.rotations.as_euler("xyz")[:, 2])
    position, heading = CubicSpline(seconds, driven.positions), CubicSpline(seconds, headings)
    t = np.arange(0.0, seconds[-1], 0.01)
    imu_from_map = BASE_FROM_IMU.rotation.inv() * Rotation.from_euler("z", heading(t)[:, None]).inv()
    lever = Rotation.from_euler("z", heading(t)[:, None]).apply(BASE_FROM_IMU.translation.copy())
    up = np.array([0.0, 0.0, 1.0])
    turning = np.cross(up, lever) * heading(t, 2)[:, None] - lever * [1, 1, 0] * heading(t, 1)[:, None] ** 2
    gyro = imu_from_map.apply(heading(t, 1)[:, None] * up) + NOISE.gyro * 10 * generator.normal(size=(len(t), 3)) + 0.01
    accel = imu_from_map.apply(position(t, 2) + turning - GRAVITY) + NOISE.accel * 10 * generator.normal(
        size=(len(t), 3)
    )
    stamps = driven.stamps_ns[0] + np.round(t * 1e9).astype(np.int64)
    links = static(make, (BASE_FRAME, CAMERA_FRAME, BASE_FROM_CAM), (BASE_FRAME, "imu_link", BASE_FROM_IMU))
    entries.append(("/tf_static", int(stamps[0]), links))
    entries += [
        ("/imu", int(stamp), imu_message(make, int(stamp), w, accel_factor * a))
        for stamp, w, a in zip(stamps, gyro, accel, strict=True)
    ]
    return write_bag(out, sorted(entries, key=lambda entry: entry[1]))


@pytest.mark.slow
def test_replay_by_the_imu_stays_with_the_images(small_scene, small_world, tmp_path):
    bag = with_imu(small_world / "later.bag", tmp_path / "later")
    mounting = [str(value) for value in (*BASE_FROM_CAM.translation, *BASE_FROM_CAM.quat_xyzw)]
    arguments = ["replay", str(bag), "--scene", str(small_scene), "--out", str(tmp_path / "out"), "--imu", "/imu"]
    assert main([*arguments, "--base-from-camera", *mounting]) == 0
    truth = read_tum(small_world / "later.tum").moved_by(BASE_FROM_CAM.inverse())
    metrics = evaluate(read_estimates(tmp_path / "out" / "pose_raw.tum"), truth)
    assert metrics.recall["5cm/5deg"] > 0.9
    assert metrics.wrong_and_sure == 0


@pytest.mark.slow
def test_an_imu_in_another_unit_stops_before_anything_is_written(small_scene, small_world, tmp_path, capsys):
    bag = with_imu(small_world / "later.bag", tmp_path / "later", accel_factor=1 / 9.80665)
    out = tmp_path / "out"
    assert main(["replay", str(bag), "--scene", str(small_scene), "--out", str(out), "--imu", "/imu"]) == 1
    assert "it is in g: multiply it by" in capsys.readouterr().err
    assert not out.exists()
