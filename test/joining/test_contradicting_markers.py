"""Markers with exchanged numbers, another order of the quaternion, or measured with their white are refused."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.alignment.solvers.markers import CORNERS, align_to_markers
from campose_core.errors import AlignmentError
from campose_core.geometry import Pose, Similarity

ON_WALL = Rotation.from_matrix(np.column_stack([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]]))
PLACES = {
    3: Pose(ON_WALL, np.array([1.0, 4.0, 1.5])),
    9: Pose(ON_WALL, np.array([2.6, 4.0, 1.2])),
    4: Pose(Rotation.from_euler("z", 90, degrees=True) * ON_WALL, np.array([-2.0, 1.0, 1.4])),
    5: Pose(Rotation.from_euler("z", 180, degrees=True) * ON_WALL, np.array([1.5, -3.0, 1.1])),
}
SIZE = 0.16
SFM_FROM_MAP = Similarity(0.3, Rotation.from_euler("xyz", [1.0, 2.0, 3.0]), np.array([5.0, -2.0, 1.0]))


def align(numbers, places, size=SIZE):
    """As the cameras have seen them where they truly hang, half a centimetre off."""
    noise = np.random.default_rng(0).normal(0, 0.005, (len(numbers), 1, 3))
    seen = {
        number: SFM_FROM_MAP.transform(PLACES[number].transform(SIZE * CORNERS) + off)
        for number, off in zip(numbers, noise, strict=True)
    }
    return align_to_markers(seen, dict.fromkeys(numbers, size), places)


@pytest.mark.parametrize("numbers", [[3], [3, 9], [3, 9, 4, 5]])
def test_what_a_tape_measures_is_taken(numbers):
    off = np.random.default_rng(1).uniform(-0.03, 0.03, (len(numbers), 3))
    taped = {n: Pose(PLACES[n].rotation, PLACES[n].translation + by) for n, by in zip(numbers, off, strict=True)}
    found = align(numbers, taped, 1.02 * SIZE)
    assert found.map_from_sfm.scale == pytest.approx(1 / SFM_FROM_MAP.scale, rel=0.05)


def test_exchanged_numbers_of_two_markers_are_refused():
    with pytest.raises(AlignmentError, match=r"contradict each other by up to 0\.\d\d m \(3, 9\): numbers exchanged"):
        align([3, 9], {3: PLACES[9], 9: PLACES[3]})


def test_a_quaternion_with_w_first_is_refused():
    turned = {n: Pose(Rotation.from_quat(np.roll(PLACES[n].quat_xyzw, 1)), PLACES[n].translation) for n in (3, 9, 5)}
    with pytest.raises(AlignmentError, match=r"contradict each other .* a quaternion that is not x, y, z, w"):
        align([3, 9, 5], turned)


@pytest.mark.parametrize("wrong", [3, 4])
def test_of_several_the_wrong_one_is_named(wrong):
    typed = {**PLACES, wrong: Pose(PLACES[wrong].rotation, PLACES[wrong].translation + np.array([1.0, 0, 0]))}
    with pytest.raises(AlignmentError, match=rf"; marker {wrong} is (0\.9\d|1\.0\d) m from where the others put it"):
        align(list(PLACES), typed)


@pytest.mark.parametrize("ratio", [10 / 8, 8 / 6, 1000])  # AprilTag 36h11 and ArUco 4x4 with their white; millimetres
def test_a_size_that_the_places_deny_is_refused(ratio):
    with pytest.raises(AlignmentError, match=r"size_m is .* times what the places|contradict each other"):
        align(list(PLACES), PLACES, ratio * SIZE)
