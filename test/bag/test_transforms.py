"""Where a frame was, as tf tells it."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from campose_core.bag.transforms import TransformTree
from campose_core.errors import TransformError
from campose_core.geometry import Pose, pose_error

MAST = Pose(Rotation.from_euler("z", 0.5), np.array([0.2, 0.0, 1.0]))
LENS = Pose(Rotation.from_euler("x", -1.5), np.array([0.0, 0.1, 0.0]))
STEP_NS = 100_000_000


def turned(i: float) -> Pose:
    return Pose(Rotation.from_euler("z", 0.1 * i), np.array([0.3 * i, 0.0, 0.0]))


def tree(steps: int = 20, keep_s: float = 10.0) -> TransformTree:
    """map -> odom -> base -> mast -> lens; base moves, and beside it hangs a fixed imu."""
    tree = TransformTree(keep_s)
    tree.add_static("map", "odom", LENS)
    tree.add_static("base", "mast", MAST)
    tree.add_static("mast", "lens", LENS)
    tree.add_static("base", "imu", MAST)
    for i in range(steps):
        tree.add("odom", "base", i * STEP_NS, turned(i))
    return tree


def near(a: Pose, b: Pose) -> bool:
    return max(pose_error(a, b)) < 1e-6


@given(st.floats(0.0, 19.0))
def test_a_chain_is_composed_up_and_down_and_turns_evenly(i):
    stamp_ns = int(i * STEP_NS)
    known = tree()
    map_from_lens = LENS * turned(stamp_ns / STEP_NS) * MAST * LENS
    assert near(known.lookup("map", "lens", stamp_ns), map_from_lens)
    assert near(known.lookup("lens", "map", stamp_ns), map_from_lens.inverse())
    assert near(known.lookup("imu", "lens", stamp_ns), LENS)
    assert near(known.lookup("base", "base", stamp_ns), Pose.identity())


def test_a_static_chain_has_no_time():
    assert near(tree().lookup("base", "lens", -5), MAST * LENS)
    assert near(tree(steps=0).lookup("base", "lens", 10**18, wait_s=60.0), MAST * LENS)


@pytest.mark.parametrize(
    ("target", "source", "step", "reason"),
    [
        ("map", "lens", 24.0, "the stamp is 0.500 s newer than the newest transform odom -> base"),
        ("map", "lens", -3.0, "the stamp is 0.300 s older than the oldest transform odom -> base that is kept"),
        ("map", "eye", 1.0, "no transform names 'eye'; tf has base, imu, lens, map, mast, odom"),
        ("world", "eye", 1.0, "no transform names 'world' or 'eye'"),
    ],
)
def test_what_is_not_known_is_said(target, source, step, reason):
    with pytest.raises(TransformError, match=reason):
        tree().lookup(target, source, int(step * STEP_NS))


def test_a_missing_link_is_named_by_the_two_ends():
    known = tree(steps=0)
    with pytest.raises(TransformError, match="from 'lens' up to 'base', and from 'odom' up to 'map': no link joins"):
        known.lookup("odom", "lens", 0)
    with pytest.raises(TransformError, match="tf has no frame at all"):
        TransformTree().lookup("odom", "lens", 0)


def test_a_gap_is_not_bridged():
    known = tree()
    known.add("odom", "base", 40 * STEP_NS, turned(40))
    with pytest.raises(TransformError, match=r"a gap of 2.1 s of the transforms odom -> base"):
        known.lookup("odom", "base", 30 * STEP_NS)


def test_only_the_last_seconds_are_kept():
    known = tree(steps=200, keep_s=10.0)
    assert near(known.lookup("odom", "base", 100 * STEP_NS), turned(100))
    with pytest.raises(TransformError, match="older than the oldest"):
        known.lookup("odom", "base", 90 * STEP_NS)


def test_late_transforms_are_sorted_in_and_a_jump_back_starts_over():
    known = tree()
    known.add("odom", "base", 15 * STEP_NS + 1, turned(0))
    assert near(known.lookup("odom", "base", 15 * STEP_NS + 1), turned(0))
    assert near(known.lookup("odom", "base", 19 * STEP_NS), turned(19))
    known.add("odom", "base", 2 * STEP_NS, turned(7))
    assert near(known.lookup("odom", "base", 2 * STEP_NS), turned(7))
    with pytest.raises(TransformError, match="newer than the newest"):
        known.lookup("odom", "base", 3 * STEP_NS)


def test_another_parent_replaces_the_link():
    known = tree()
    known.add("dock", "base", 5 * STEP_NS, MAST)
    assert known.chain("lens") == ["lens", "mast", "base", "dock"]
    known.forget_moving()
    assert known.chain("lens") == ["lens", "mast", "base"]


def test_what_comes_within_the_wait_is_used():
    known = tree()
    asked = threading.Event()

    def answer() -> None:
        asked.wait()
        known.add("odom", "base", 20 * STEP_NS, turned(20))
        known.add("odom", "base", 21 * STEP_NS, turned(21))

    thread = threading.Thread(target=answer)
    thread.start()
    asked.set()
    found = known.lookup("odom", "base", 20 * STEP_NS + STEP_NS // 2, wait_s=60.0)
    thread.join()
    assert near(found, turned(20.5))
