"""Poses from outside, in every form that they come in."""

import numpy as np
import pytest
from bag_messages import TYPES, pose_message
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import START_NS, Messages, write_bag
from strategies import poses

from campose_core.capture.external_poses import read_outside_poses, read_reference
from campose_core.errors import CaptureError, TrajectoryError, UsageError
from campose_core.geometry import pose_error
from campose_core.trajectory import Trajectory, write_tum

NAMES = ("x", "y", "z", "qx", "qy", "qz", "qw")


def table(path, names, rows):
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in [names, *rows]))
    return path


@settings(max_examples=30)
@given(st.lists(poses, min_size=1, max_size=5), st.permutations([*NAMES, "stamp_ns", "note"]))
def test_a_table_is_read_by_its_names_not_its_order(tmp_path_factory, listed, names):
    path = tmp_path_factory.mktemp("tables") / "poses.csv"
    rows = []
    for i, pose in reversed(list(enumerate(listed))):  # in any order of time as well
        values = dict(zip(NAMES, [*pose.translation, *pose.quat_xyzw], strict=True))
        rows.append([{**values, "stamp_ns": START_NS + i, "note": "seen"}[name] for name in names])
    found = read_outside_poses(table(path, names, rows))
    assert found.stamps_ns.tolist() == [START_NS + i for i in range(len(listed))]
    for (_, pose), expected in zip(found, listed, strict=True):
        assert max(pose_error(pose, expected)) < 1e-6


def test_seconds_are_exact_and_frames_without_a_pose_say_nothing(tmp_path):
    rows = [["1700000000.123456789", 1, 2, 3, 0, 0, 0, 1], ["1700000000.2", *[""] * 7]]
    found = read_outside_poses(table(tmp_path / "t.csv", ("stamp_s", *NAMES), rows))
    assert found.stamps_ns.tolist() == [1_700_000_000_123_456_789]
    assert found.child_frame_id == ""  # nothing names the body


def test_the_ground_truth_of_euroc_is_understood(tmp_path):
    places, turns = (f"p_RS_R_{axis} [m]" for axis in "xyz"), (f"q_RS_{axis} []" for axis in "wxyz")
    header = ", ".join(["#timestamp", *places, *turns, "v_RS_R_x [m s^-1]"])
    (tmp_path / "data.csv").write_text(f"{header}\n1403636580838555648,4.6,-1.8,0.8,0.5,0.1,-0.8,-0.1,0.0\n")
    found = read_outside_poses(tmp_path / "data.csv")
    assert found.stamps_ns.tolist() == [1403636580838555648]
    np.testing.assert_allclose(found.positions[0], [4.6, -1.8, 0.8])
    quat = np.array([0.1, -0.8, -0.1, 0.5])
    np.testing.assert_allclose(abs(found.rotations[0].as_quat() @ quat / np.linalg.norm(quat)), 1.0)


@pytest.mark.parametrize(
    ("names", "row", "message"),
    [
        (("when", *NAMES), [1, 1, 2, 3, 0, 0, 0, 1], "must name the columns one of stamp_ns and stamp_s"),
        (("t", "stamp_s", *NAMES), [1, 1, 1, 2, 3, 0, 0, 0, 1], "must name the columns one of stamp_ns and stamp_s"),
        (("stamp_s", *NAMES[:6]), [1, 1, 2, 3, 0, 0, 0], "x,y,z,qx,qy,qz,qw; got `stamp_s,x,y"),
        (
            ("stamp_ns", *NAMES),
            ["1.5", 1, 2, 3, 0, 0, 0, 1],
            "csv:2: the stamp must be in whole nanoseconds, got '1.5'",
        ),
        (("stamp_s", *NAMES), ["1700000000000000000", 1, 2, 3, 0, 0, 0, 1], "csv:2: the stamp .* in seconds, not in"),
        (("stamp_s", *NAMES), [1, 1, "nan", 3, 0, 0, 0, 1], "holds no pose, 1 rows without a pose"),
        (("stamp_s", *NAMES), [1, 1, "one", 3, 0, 0, 0, 1], "csv:2: not a pose: 1,one,3"),
        (("stamp_s", *NAMES), [1, 1, 2, 3, 0, 0, 0, 0], "csv:2: not a pose"),
        (("stamp_s", *NAMES), [1, *[""] * 7], "holds no pose"),
        ((), [], "holds no pose"),
    ],
)
def test_bad_tables_are_named(tmp_path, names, row, message):
    with pytest.raises(TrajectoryError, match=message):
        read_outside_poses(table(tmp_path / "t.csv", names, [row]))


def test_a_stamp_twice_a_folder_and_nothing_at_all(tmp_path):
    rows = [[1, 1, 2, 3, 0, 0, 0, 1], [1, 1, 2, 4, 0, 0, 0, 1]]
    with pytest.raises(TrajectoryError, match=r"csv:3: the stamp 1\.0* appears twice, with another pose"):
        read_outside_poses(table(tmp_path / "t.csv", ("stamp_s", *NAMES), rows))
    with pytest.raises(TrajectoryError, match="is a folder and not a bag"):
        read_outside_poses(tmp_path)
    with pytest.raises(TrajectoryError, match="no such file or folder; poses come from"):
        read_outside_poses(tmp_path / "none.tum")


def test_files_and_bags_say_the_same_but_only_odometry_names_its_body(tmp_path):
    make = Messages()
    rows = [(START_NS + i, (0.1 * i, 0.2, 0.3), (0.0, 0.0, 0.6, 0.8)) for i in range(4)]
    entries = [
        (f"/{msgtype.rsplit('/', 1)[1]}", row[0], pose_message(make, msgtype, *row))
        for row in rows
        for msgtype in TYPES[:2]
    ]
    bag = write_bag(tmp_path / "walk", entries)
    odometry, stamped = read_outside_poses(bag, "/Odometry"), read_outside_poses(bag, "/PoseStamped")
    assert (odometry.child_frame_id, stamped.child_frame_id) == ("base_footprint", "")
    write_tum(tmp_path / "walk.tum", Trajectory.from_poses(stamped.stamps_ns, [pose for _, pose in stamped]))
    again = read_outside_poses(tmp_path / "walk.tum")
    for trajectory in (odometry, again):
        assert trajectory.stamps_ns.tolist() == stamped.stamps_ns.tolist()
        np.testing.assert_allclose(trajectory.positions, stamped.positions, atol=1e-8)
    with pytest.raises(CaptureError, match="choose one of its pose topics"):
        read_outside_poses(bag)
    with pytest.raises(TrajectoryError, match=r"walk: the poses in a bag are of a body, .* align with --tracker"):
        read_reference(bag)
    with pytest.raises(UsageError, match="is not a bag: leave out the topic /pose"):
        read_outside_poses(tmp_path / "walk.tum", "/pose")
