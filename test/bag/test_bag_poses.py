"""Trajectories out of bags."""

import numpy as np
import pytest
from bag_messages import TYPES, pose_message
from recordings import START_NS, Messages, write_bag
from scipy.spatial.transform import Rotation

from campose_core.bag.poses import read_poses
from campose_core.capture.external_poses import read_outside_poses
from campose_core.errors import CaptureError
from campose_core.trajectory import read_tum


@pytest.mark.parametrize("kind", ["ros1", "mcap"])
@pytest.mark.parametrize("msgtype", TYPES)
def test_poses_come_back_as_they_were_written(tmp_path, kind, msgtype):
    make = Messages(kind == "ros1")
    rng = np.random.default_rng(3)
    positions, quats = rng.normal(size=(6, 3)), Rotation.random(6, rng).as_quat()
    stamps = [START_NS + i * 10 for i in range(6)]
    messages = [pose_message(make, msgtype, *row) for row in zip(stamps, positions, quats, strict=True)]
    again = pose_message(make, msgtype, stamps[2], positions[0], quats[0])  # a stamp that goes back
    entries = [("/pose", START_NS + i, message) for i, message in enumerate([*messages, again])]
    trajectory = read_poses(write_bag(tmp_path / "walk.bag", entries, kind))
    assert trajectory.stamps_ns.tolist() == stamps
    np.testing.assert_allclose(trajectory.positions, positions)
    np.testing.assert_allclose((trajectory.rotations.inv() * Rotation.from_quat(quats)).magnitude(), 0, atol=1e-7)
    assert trajectory.frame_id == "odom"
    assert trajectory.child_frame_id == ("base_footprint" if "Odometry" in msgtype else "base_link")


def test_transforms_of_motion_capture_are_poses_where_nothing_else_is_or_where_they_are_named(tmp_path):
    make, vector = Messages(), Messages().types["geometry_msgs/msg/Vector3"]
    turn = make.types["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0)
    entries = [
        (
            "/vicon",
            START_NS + i,
            make.types["geometry_msgs/msg/TransformStamped"](
                header=make.header(START_NS + i * 10_000_000, "world"),
                child_frame_id="body",
                transform=make.types["geometry_msgs/msg/Transform"](vector(i / 10, 0.0, 0.0), turn),
            ),
        )
        for i in range(4)
    ]
    alone = read_outside_poses(write_bag(tmp_path / "alone", entries))
    np.testing.assert_allclose(alone.positions[:, 0], np.arange(4) / 10)
    assert (alone.frame_id, alone.child_frame_id) == ("world", "")
    other = ("/pose", START_NS, pose_message(make, TYPES[1], START_NS, (7.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)))
    both = write_bag(tmp_path / "both", [*entries, other])
    assert len(read_outside_poses(both)) == 1
    assert len(read_outside_poses(both, "/vicon")) == 4


def test_topics_are_chosen_or_listed_and_bad_poses_named(tmp_path):
    make = Messages()
    identity = (0.0, 0.0, 0.0, 1.0)
    entries = [
        ("/odom", 1, pose_message(make, TYPES[0], START_NS, (0.0, 0.0, 0.0), identity)),
        ("/amcl", 2, pose_message(make, TYPES[2], START_NS, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.5))),
        ("/info", 3, make.camera_info(START_NS)),
    ]
    path = write_bag(tmp_path / "walk", entries)
    listed = r"/amcl \(1 PoseWithCovarianceStamped\); /odom \(1 Odometry\)"
    with pytest.raises(CaptureError, match=f"choose one of its pose topics: {listed}"):
        read_poses(path)
    with pytest.raises(CaptureError, match=f"no pose topic '/info'; it has: {listed}"):
        read_poses(path, "/info")
    with pytest.raises(CaptureError, match="message 0 on /amcl: "):
        read_poses(path, "/amcl")
    assert len(read_poses(path, "/odom")) == 1


NAN, INF = float("nan"), float("inf")
NO_POSES = [
    ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)),
    ((1.0, 2.0, 0.0), (0.0, 0.0, 0.0, 0.0)),
    ((NAN, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)),
    ((0.0, 0.0, INF), (0.0, 0.0, 0.0, 1.0)),
    ((0.0, 0.0, 0.0), (NAN, NAN, NAN, NAN)),
]


@pytest.mark.parametrize("kind", ["ros1", "mcap"])
@pytest.mark.parametrize("msgtype", [*TYPES, "geometry_msgs/msg/TransformStamped"])
def test_messages_of_a_lost_tracker_are_left_out_and_counted_in_one_line(tmp_path, capsys, kind, msgtype):
    """introlab/rtabmap_ros#565: odometry that is lost is sent on with a quaternion of zeros."""
    make = Messages(kind == "ros1")
    true = [((i / 10, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)) for i in range(6)]
    sent = [NO_POSES[0], *true[:3], *NO_POSES, *true[3:], NO_POSES[2]]

    def message(stamp_ns, position, quat):
        if msgtype in TYPES:
            return pose_message(make, msgtype, stamp_ns, position, quat)
        types, header = make.types, make.header(stamp_ns, "odom")
        place, turn = types["geometry_msgs/msg/Vector3"](*position), types["geometry_msgs/msg/Quaternion"](*quat)
        return types[msgtype](header, "body", types["geometry_msgs/msg/Transform"](place, turn))

    stamps = [START_NS + i * 100_000_000 for i in range(len(sent))]
    entries = [("/odom", stamp_ns, message(stamp_ns, *pose)) for stamp_ns, pose in zip(stamps, sent, strict=True)]
    trajectory = read_poses(write_bag(tmp_path / "walk.bag", entries, kind))
    assert trajectory.stamps_ns.tolist() == stamps[1:4] + stamps[9:12]
    np.testing.assert_allclose(trajectory.positions[:, 0], np.arange(6) / 10)
    said = capsys.readouterr().err
    assert said.count("\n") == said.count("7 messages on /odom left out: no pose (NaN, or a quaternion of zeros)") == 1

    lost = [(topic, log_ns, message(log_ns, *NO_POSES[i % 5])) for i, (topic, log_ns, _) in enumerate(entries)]
    with pytest.raises(
        CaptureError, match=r"lost.bag: no pose with a stamp on /odom \(13 messages without a pose: NaN"
    ):
        read_poses(write_bag(tmp_path / "lost.bag", lost, kind))


def test_the_odometry_of_the_kitchen_follows_the_walk(shared_data):
    odometry = read_poses(shared_data / "redkitchen" / "mapping.bag")
    walked = read_tum(shared_data / "redkitchen" / "mapping.tum")
    assert odometry.frame_id == "odom"
    length = np.linalg.norm(np.diff(odometry.positions, axis=0), axis=1).sum()
    assert length == pytest.approx(np.linalg.norm(np.diff(walked.positions, axis=0), axis=1).sum(), rel=0.5)
