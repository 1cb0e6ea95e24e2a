"""The tree of frames in a bag."""

import numpy as np
import pytest
from bag_messages import static
from recordings import START_NS, Messages, write_bag
from scipy.spatial.transform import Rotation

from campose_core.bag.tf import read_tf
from campose_core.errors import CaptureError
from campose_core.geometry import Pose, pose_error

MAST = Pose(Rotation.from_euler("z", 0.5), np.array([0.2, 0.0, 1.0]))
LENS = Pose(Rotation.from_euler("x", -1.5), np.array([0.0, 0.1, 0.0]))


def on_the_move(i: int) -> Pose:
    return Pose(Rotation.from_euler("z", 0.1 * i), np.array([0.3 * i, 0.0, 0.0]))


def moving(make: Messages, parent: str, child: str, numbers, pose=on_the_move):
    for i in numbers:
        message = static(make, (parent, child, pose(i)))
        message.transforms[0].header = make.header(START_NS + i * 100_000_000, parent)
        yield "/tf", START_NS + i * 100_000_000, message


@pytest.fixture
def tree(tmp_path):
    make = Messages()
    entries = [
        ("/tf_static", START_NS, static(make, ("base", "mast", MAST), ("/mast", "/lens", LENS), ("base", "imu", LENS))),
        *moving(make, "odom", "base", [*range(20), *range(40, 60)]),
        *moving(make, "map", "odom", range(0, 60, 5), lambda i: LENS),
        *moving(make, "elsewhere", "base", range(3)),  # a second parent, said more rarely
    ]
    return read_tf(write_bag(tmp_path / "walk", sorted(entries, key=lambda entry: entry[1])))


def test_chains_lead_to_the_root_and_static_links_make_a_body(tree):
    assert tree.chain("lens") == ["lens", "mast", "base", "odom", "map"]
    assert tree.carrier("lens") == "base"
    assert tree.carrier("map") == "map"
    assert max(pose_error(tree.mounting("base", "lens"), MAST * LENS)) < 1e-9
    assert max(pose_error(tree.mounting("lens", "imu"), (MAST * LENS).inverse() * LENS)) < 1e-9
    assert tree.mounting("odom", "lens") is None
    assert tree.mounting("nowhere", "lens") is None


def test_poses_are_composed_at_each_stamp_and_gaps_have_none(tree):
    wanted = START_NS + np.array([-10, 0, 50, 1000, 1900, 2500, 3999, 4000, 5900 - 400, 9999]) * 1_000_000
    answered, poses = tree.between("map", "lens", wanted)
    assert answered.tolist() == [False, True, True, True, True, False, False, True, True, False]
    assert (poses.frame_id, poses.child_frame_id) == ("map", "lens")
    for stamp, pose in poses:
        i = (stamp - START_NS) / 1e8
        truth = LENS * on_the_move(i) * MAST * LENS
        assert max(pose_error(pose, truth)) < 1e-6


def test_a_bag_without_tf_has_an_empty_tree_and_loops_end(tmp_path):
    make = Messages()
    info = [("/camera_info", START_NS, make.camera_info(START_NS))]
    assert read_tf(write_bag(tmp_path / "none", info)).frames() == set()
    loop = static(make, ("a", "b", MAST), ("b", "a", MAST))
    tree = read_tf(write_bag(tmp_path / "loop", [("/tf_static", START_NS, loop)]))
    assert tree.chain("a") == ["a", "b"]


def test_links_that_are_none_or_without_a_stamp_are_left_out(tmp_path):
    make = Messages()
    entries = list(moving(make, "odom", "base", range(5)))
    entries[2][2].transforms[0].transform.translation.x = float("nan")
    unset = list(moving(make, "map", "odom", range(5)))
    unset[0][2].transforms[0].header = make.header(0, "map")
    never = static(make, ("base", "arm", MAST))
    never.transforms[0].header = make.header(0, "base")
    path = write_bag(tmp_path / "walk", [*entries, *unset, ("/tf", START_NS, never)])
    tree = read_tf(path)
    wanted = START_NS + np.arange(5) * 100_000_000
    answered, poses = tree.between("odom", "base", wanted)
    assert answered.all()
    np.testing.assert_allclose(poses.positions[:, 0], 0.3 * np.arange(5))  # between its neighbours
    assert tree.between("map", "odom", [0, *wanted])[0].tolist() == [False, False, True, True, True, True]
    assert "arm" not in tree.frames()


def test_what_is_no_bag_is_refused(tmp_path):
    (tmp_path / "x.bag").write_bytes(b"nothing")
    with pytest.raises(CaptureError, match=r"x\.bag"):
        read_tf(tmp_path / "x.bag")
