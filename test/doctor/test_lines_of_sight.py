"""What stands in the way of a look, and what lies far beyond the map."""

from types import SimpleNamespace

import numpy as np
import pytest

from campose_core.doctor.lines_of_sight import looked_across, on_map
from campose_core.floor import FloorMap

FLOOR = FloorMap(np.zeros((40, 60), np.int8), 0.1, (2.0, -1.0, 0.4))


def looks(start, landmark):
    """As landmarks: one keyframe that sees one of them."""
    return SimpleNamespace(
        frame_positions=np.array([[*start, 0.5]]), xyz=np.array([[*landmark, 0.5]]), observed=np.array([0]),
        observed_by=np.array([0]),
    )  # fmt: skip


def test_lines_are_cut_to_the_map():
    inside, beyond = FLOOR.centre_of([[20, 30], [20, 90]])
    enters, leaves = on_map(
        FLOOR, np.array([inside, inside, beyond, beyond]), np.array([[0.1, 0], [1e9, 0], [0, 0], [0, 0]])
    )
    assert enters[0] == enters[1] == 0
    assert leaves[0] == 1
    assert 0 < leaves[1] < 1e-8
    assert (leaves[2:] < enters[2:]).all()


@pytest.mark.parametrize("far", [30.0, 1e5, 1e9, 1e18])
def test_landmarks_beyond_the_map_take_no_longer_than_the_map_is_wide(far):
    inside = FLOOR.centre_of([20, 30])
    along = np.array([np.cos(0.4), np.sin(0.4)])  # the direction of its rows
    seen = looked_across(FLOOR, looks(inside, inside + far * along))
    assert seen[20, 31:].all()
    assert not seen[:, :30].any()
    back = looked_across(FLOOR, looks(inside - 100.0 * along, inside + far * along))
    assert back[20].all()
