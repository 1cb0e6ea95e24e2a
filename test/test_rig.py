"""Images of several cameras joined into moments, and rigs in a scene."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from campose_core.errors import GeometryError
from campose_core.geometry import Pose, pose_error
from campose_core.rig import Rig, moments

MS = 1_000_000


def camera(stamps_ms, name):
    return [(round(stamp * MS), f"{name}{i}") for i, stamp in enumerate(stamps_ms)]


def joined(tolerance_ms=20, **stamps_ms):
    pictures = {name: camera(stamps, name) for name, stamps in stamps_ms.items()}
    return [tuple(moment.images.values()) for moment in moments(pictures, tolerance_ms * MS)]


def test_pictures_within_the_tolerance_are_one_moment_whichever_comes_first():
    assert joined(a=[0, 100, 200], b=[7, 93, 200]) == [("a0", "b0"), ("a1", "b1"), ("a2", "b2")]
    assert joined(a=[0, 100], b=[50, 150]) == [("a0",), ("b0",), ("a1",), ("b1",)]


def test_a_dropped_picture_leaves_its_partner_alone_and_moves_no_other():
    """At 60 Hz a tolerance of 20 ms reaches the next image."""
    period = 1000 / 60
    a, b = [i * period for i in range(6)], [i * period + 2 for i in range(6) if i != 2]
    assert joined(a=a, b=b) == [("a0", "b0"), ("a1", "b1"), ("a2",), ("a3", "b2"), ("a4", "b3"), ("a5", "b4")]


@given(
    st.dictionaries(
        st.sampled_from("abc"), st.lists(st.integers(0, 10**9), max_size=20, unique=True), min_size=1, max_size=3
    ),
    st.integers(0, 50 * MS),
)
def test_every_picture_is_in_one_moment_and_none_spans_more_than_the_tolerance(stamps, tolerance_ns):
    found = moments({name: [(s, (name, s)) for s in list_] for name, list_ in stamps.items()}, tolerance_ns)
    members = [picture for moment in found for picture in moment.images.values()]
    assert sorted(members) == sorted((name, s) for name, list_ in stamps.items() for s in list_)
    for moment in found:
        times = [s for _, s in moment.images.values()]
        assert moment.stamp_ns == min(times)
        assert max(times) - min(times) <= tolerance_ns
        assert all(picture[0] == name for name, picture in moment.images.items())


def test_a_rig_survives_its_dictionary_and_knows_what_is_unknown():
    pose = Pose(Rotation.from_euler("xyz", [10, 20, 30], degrees=True), np.array([0.1, -0.2, 0.3]))
    rig = Rig("base_link", {"front": pose, "left": pose * pose, "rear": None}, 5)
    again = Rig.from_dict(rig.to_dict())
    assert (again.frame, again.cameras, again.tolerance_ns) == ("base_link", ["front", "left", "rear"], 5)
    assert max(pose_error(again.reference_from_cam("left"), pose)) < 1e-7
    assert again.reference_from_cam("rear") is None
    assert not again.is_known


def test_one_camera_is_no_rig():
    with pytest.raises(GeometryError, match="two or more cameras"):
        Rig("base_link", {"front": Pose.identity()}, 5)
