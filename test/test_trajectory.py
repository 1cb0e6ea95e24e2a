import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from strategies import poses

from campose_core.errors import TrajectoryError
from campose_core.geometry import Pose, pose_error
from campose_core.trajectory import Trajectory, read_tum, seconds_text, stamp_from_seconds, write_tum

stamps = st.integers(-(2**40), 2 * 10**18)


@given(stamps)
def test_stamps_pass_through_text_to_the_nanosecond(stamp_ns):
    assert stamp_from_seconds(seconds_text(stamp_ns)) == stamp_ns


@given(st.lists(st.tuples(stamps, poses), min_size=1, max_size=8, unique_by=lambda pair: pair[0]))
def test_tum_round_trip(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("tum") / "a b.tum"
    written = Trajectory.from_poses([s for s, _ in pairs], [p for _, p in pairs])
    write_tum(path, written)
    again = read_tum(path)
    assert again.stamps_ns.tolist() == sorted(s for s, _ in pairs)
    for (_, a), (_, b) in zip(written, again, strict=True):
        distance, angle = pose_error(a, b)
        assert distance < 1e-8
        assert angle < 1e-6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no pose"),
        ("# only a comment\n", "holds no pose"),
        ("0 0 0 0 0 0 0 1\n1 0 0 0 0 0 0\n", ":2: expected"),
        ("0 0 0 0 0 0 0 0\n", ":1: expected"),
        ("0 nan 0 0 0 0 0 1\n", ":1: expected"),
        ("x 0 0 0 0 0 0 1\n", ":1: expected"),
        ("1700000000000000000 0 0 0 0 0 0 1\n", r":1: the stamp 17\d+ must be in seconds"),
        ("0 0 0 0 0 0 0 1\n0.0 1 0 0 0 0 0 1\n", ":2: stamp 0.0 appears twice"),
    ],
)
def test_bad_tum_files_name_the_line(tmp_path, text, message):
    path = tmp_path / "bad.tum"
    path.write_text(text)
    with pytest.raises(TrajectoryError, match=message):
        read_tum(path)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(TrajectoryError, match=r"no\.tum"):
        read_tum(tmp_path / "no.tum")
    (tmp_path / "b.tum").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TrajectoryError, match=r"b\.tum"):
        read_tum(tmp_path / "b.tum")


def line(seconds: list[float], speed: float = 1.0) -> Trajectory:
    """Along x at `speed`, turning about z at 0.1 rad/s."""
    times = np.array(seconds)
    positions = np.stack([speed * times, 0 * times, 0 * times], axis=1)
    # from_quat and not from_rotvec, which refuses an empty array in SciPy 1.11.
    rotations = Rotation.from_quat(np.stack([0 * times, 0 * times, np.sin(0.05 * times), np.cos(0.05 * times)], axis=1))
    return Trajectory((times * 1e9).round().astype(np.int64), positions, rotations)


@given(st.lists(st.floats(0.0, 10.0), min_size=1, max_size=20))
def test_interpolation_is_exact_on_steady_motion(times):
    steady = line(list(np.arange(0, 11, 0.25)))
    asked = np.unique((np.array(times) * 1e9).astype(np.int64))
    inside, found = steady.interpolate(asked)
    assert inside.all()
    np.testing.assert_allclose(found.positions[:, 0], asked / 1e9, atol=1e-6)
    np.testing.assert_allclose(found.rotations.magnitude(), 0.1 * asked / 1e9, atol=1e-6)


def test_interpolation_does_not_bridge_gaps_or_extrapolate():
    gappy = line([0, 0.1, 0.2, 3.0, 3.1])
    inside, found = gappy.interpolate((np.array([-0.1, 0.0, 0.15, 1.5, 3.05, 3.1, 3.2]) * 1e9).astype(np.int64))
    assert inside.tolist() == [False, True, True, False, True, True, False]
    assert len(found) == 4


def test_interpolating_stamps_of_today_keeps_nanoseconds():
    start = 1_764_000_000_000_000_000
    two = Trajectory.from_poses(
        [start, start + 100], [Pose.identity(), Pose(Rotation.identity(), np.array([100.0, 0, 0]))]
    )
    _, found = two.interpolate([start + 1])
    assert found.positions[0, 0] == pytest.approx(1.0)


def test_association_is_one_to_one_and_nearest():
    a, b = line([0.0, 1.0, 2.0]), line([0.011, 0.99, 1.005, 5.0])
    assert a.associate(b) == [(0, 0), (1, 2)]
    assert a.associate(line([])) == []


@pytest.mark.parametrize("stamps_ns", [[0, 0], [1, 0], [0]])
def test_a_trajectory_refuses_what_is_not_one(stamps_ns):
    with pytest.raises(TrajectoryError):
        Trajectory(stamps_ns, np.zeros((2, 3)), Rotation.identity(2))
