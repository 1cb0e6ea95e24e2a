"""Rooms of a floor map, the errors in each, and what the snap does."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.evaluation.estimates import Estimates, FrameOutcome
from campose_core.evaluation.metrics import frame_errors
from campose_core.evaluation.room_table import in_rooms, room_dict, rooms_html
from campose_core.evaluation.rooms import find_rooms
from campose_core.evaluation.snap_effect import snap_effect
from campose_core.floor import FloorMap
from campose_core.geometry import Pose
from campose_core.trajectory import Trajectory
from campose_core.walkable import WalkableMap


def two_rooms(origin=(0.0, 0.0, 0.0)) -> FloorMap:
    """A room of 5 x 4 m and one of 3 x 4 m, with a door of 1 m between them, in cells of 5 cm."""
    occupancy = np.full((84, 166), 100, dtype=np.int8)
    occupancy[2:82, 2:102] = occupancy[2:82, 104:164] = 0
    occupancy[30:50, 102:104] = 0
    return FloorMap(occupancy, 0.05, origin)


def test_doors_divide_rooms_and_the_largest_is_the_first():
    rooms = find_rooms(two_rooms())
    assert len(rooms.centres) == 2
    assert rooms.at(np.array([[1.0, 1.0], [4.9, 3.9], [6.0, 1.0], [8.1, 0.2], [-1, 1], [50, 2]])).tolist() == [
        1,
        1,
        2,
        2,
        0,
        0,
    ]
    assert rooms.at(rooms.centres).tolist() == [1, 2]
    assert len(find_rooms(FloorMap(np.zeros((40, 40), dtype=np.int8), 0.1)).centres) == 1
    assert find_rooms(FloorMap(np.full((40, 40), 100, dtype=np.int8), 0.1)) is None
    assert find_rooms(FloorMap(np.zeros((10, 200), dtype=np.int8), 0.1)) is None  # a corridor a metre wide


def test_rooms_lie_where_a_turned_map_says():
    here, turned = find_rooms(two_rooms()), find_rooms(two_rooms((3.0, -2.0, 1.0)))
    move = Rotation.from_euler("z", 1.0).as_matrix()[:2, :2]
    xy = np.random.default_rng(0).uniform(0, 8, (200, 2))
    np.testing.assert_array_equal(here.at(xy), turned.at(xy @ move.T + [3, -2]))


def errors_on(xy: np.ndarray, off: np.ndarray, silent=()):
    poses = [Pose(Rotation.identity(), [x, y, 1]) for x, y in xy.tolist()]
    truth = Trajectory.from_poses(10**8 * np.arange(len(xy)), poses)
    outcomes = tuple(
        FrameOutcome(t, None if i in silent else Pose(p.rotation, p.translation + np.array([*off[i], 0])), "TRACKING")
        for i, (t, p) in enumerate(truth)
    )
    return frame_errors(Estimates("it", outcomes), truth)


def test_a_room_has_a_row_of_its_own_and_no_frame_is_lost():
    xy = np.array([[1.0, 1.0]] * 6 + [[6.0, 1.0]] * 3 + [[20.0, 1.0]])
    off = np.zeros((10, 2))
    off[6:9] = [2.0, 0.0]
    rooms = in_rooms(errors_on(xy, off, silent=[0, 1]), find_rooms(two_rooms()))
    rows = [room_dict(*room) for room in rooms]
    assert [(row["room"], row["frames"]) for row in rows] == [("room 1", 6), ("room 2", 3), ("in no room", 1)]
    assert [row["recall@25cm/2deg"] for row in rows] == pytest.approx([4 / 6, 0, 1])
    assert [row["wrong_and_sure"] for row in rows] == [0, 1, 0]
    assert rooms_html(rooms).count("<tr>") == 4
    assert rooms_html([]) == ""


def test_the_snap_brings_poses_out_of_a_wall_and_says_what_it_was_worth():
    walkable = WalkableMap.from_floor(two_rooms(), radius_m=0.2, max_snap_m=1.0)
    xy = np.tile([[0.35, 2.0]], (10, 1))  # 5 cm from the edge of the walkable floor
    effect = snap_effect(errors_on(xy, np.tile([[-0.3, 0.0]], (10, 1))), walkable)
    assert effect.before_m.median == pytest.approx(0.3)
    assert effect.after_m.median == pytest.approx(0.05, abs=0.03)
    assert (effect.walkable_before, effect.true_walkable, effect.off_map) == (0.0, 1.0, 0)
    # Beyond the reach of the snap there is no pose to drive by, and silence stays silence.
    far = snap_effect(errors_on(xy, np.tile([[-5.0, 0.0]], (10, 1)), silent=[0]), walkable)
    assert far.off_map == 9
    assert np.isinf(far.after_m.median)
    assert snap_effect(errors_on(xy, np.zeros((10, 2)), silent=range(10)), walkable) is None
