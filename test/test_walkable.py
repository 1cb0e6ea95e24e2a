"""The snap: lands on walkable floor, stays there, and never goes through a wall."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campose_core.errors import FloorError
from campose_core.floor import FloorMap
from campose_core.walkable import WalkableMap, load_walkable, save_walkable

CELL = 0.05
WALL = (60, 66)  # columns of the wall between the rooms: x from 3.0 to 3.3 m


def two_rooms(door: slice | None = None, origin=(0.0, 0.0, 0.0)) -> FloorMap:
    """Two rooms of 3 x 4 m either side of a wall 30 cm thick, in a frame of walls; `door` opens rows of the wall."""
    occupancy = np.zeros((80, 126), dtype=np.int8)
    occupancy[:, WALL[0] : WALL[1]] = 100
    if door is not None:
        occupancy[door, WALL[0] : WALL[1]] = 0
    occupancy[[0, -1], :] = 100
    occupancy[:, [0, -1]] = 100
    return FloorMap(occupancy, CELL, origin)


OPEN = two_rooms(door=slice(10, 30))  # the door: y from 0.5 to 1.5 m
WALKABLE = WalkableMap.from_floor(OPEN, radius_m=0.2, max_snap_m=1.0)


def crosses_a_wall(floor: FloorMap, start, end) -> bool:
    """Independent of the code under test: samples every millimetre between the two points."""
    count = max(2, int(math.dist(start, end) / 0.001))
    points = np.linspace(start, end, count)
    cells = floor.cell_of(points)
    inside = floor.contains(cells)
    solid = np.ones(count, dtype=bool)
    solid[inside] = ~floor.free[cells[inside, 0], cells[inside, 1]]
    return bool(solid.any())


def enters_and_leaves_a_wall(floor: FloorMap, start, end) -> bool:
    """Whether the line from start to end runs from free floor through something solid to free floor."""
    points = np.linspace(start, end, max(2, int(math.dist(start, end) / 0.001)))
    cells = floor.cell_of(points)
    inside = floor.contains(cells)
    free = np.zeros(len(points), dtype=bool)
    free[inside] = floor.free[cells[inside, 0], cells[inside, 1]]
    runs = free[np.r_[True, free[1:] != free[:-1]]]
    return "".join("f" if f else "s" for f in runs).find("fsf") >= 0


anywhere = st.tuples(st.floats(-0.5, 6.8), st.floats(-0.5, 4.5))


@given(anywhere)
def test_snap_lands_on_walkable_floor_and_stays(point):
    snap = WALKABLE.snap(*point)
    if not snap.snapped:
        assert (snap.x, snap.y) == point
        return
    assert snap.distance_m == pytest.approx(math.dist(point, (snap.x, snap.y)), abs=1e-9)
    assert snap.distance_m <= 1.0
    row, column = OPEN.cell_of([snap.x, snap.y])
    assert WALKABLE.walkable[row, column]
    assert WALKABLE.snap(snap.x, snap.y) == (snap.x, snap.y, 0.0, True)


@given(st.tuples(st.floats(0, 6.3), st.floats(0, 4)))
def test_snap_never_crosses_a_wall(point):
    snap = WALKABLE.snap(*point)
    row, column = OPEN.cell_of(point)
    if snap.snapped and OPEN.contains([row, column]) and OPEN.free[row, column]:
        # From anywhere in a cell the sight may graze the cell that holds the corner of a door, never more.
        centre, target = OPEN.centre_of([row, column]), OPEN.centre_of(OPEN.cell_of([snap.x, snap.y]))
        assert not crosses_a_wall(OPEN, centre, target)
    assert not enters_and_leaves_a_wall(OPEN, OPEN.centre_of([row, column]), (snap.x, snap.y)) or not snap.snapped


def test_snap_in_free_space_is_the_nearest_walkable_point():
    floor = two_rooms()
    walkable = WalkableMap.from_floor(floor, radius_m=0.2)
    x_min = 0.05 + 0.2  # wall of one cell, then the radius
    snap = walkable.snap(0.1, 2.0)
    assert snap.x == pytest.approx(x_min, abs=CELL / 2 + 1e-6)
    assert snap.y == pytest.approx(2.0, abs=1e-6)
    centres = floor.centre_of(np.argwhere(walkable.walkable))
    for point in np.random.default_rng(1).uniform((0.05, 0.05), (2.9, 3.9), (300, 2)):
        nearest = np.hypot(*(centres - point).T).min()
        assert walkable.snap(*point).distance_m <= nearest + 1e-9
        assert walkable.snap(*point).distance_m >= nearest - CELL


@pytest.mark.parametrize("face_and_sign", [(3.0, 1), (3.3, -1)], ids=["from the left", "from the right"])
@pytest.mark.parametrize("door", [slice(10, 30), slice(30, 50)])
def test_pose_inside_a_wall_returns_to_the_room_it_came_from(door, face_and_sign):
    walkable = WalkableMap.from_floor(two_rooms(door), radius_m=0.2)
    face, sign = face_and_sign
    for depth in np.arange(0.01, 0.48, 0.03):  # through the wall, and over 17 cm of free floor on its far side
        for y in (3.0, 3.5):
            snap = walkable.snap(face + sign * depth, y, came_from=(face - sign * 0.5, y - 0.1))
            assert snap.snapped
            assert (snap.x - face) * sign < 0, (depth, y, snap)
            assert abs(snap.y - y) < 0.06


@given(
    st.booleans(),
    st.tuples(st.floats(0.3, 2.0), st.floats(2.5, 3.7)),
    st.tuples(st.floats(0.001, 0.48), st.floats(2.5, 3.7)),
)
def test_a_wall_on_the_way_is_never_crossed(from_the_left, start, end):
    face, sign = (3.0, 1) if from_the_left else (3.3, -1)
    came_from, raw = (face - sign * start[0], start[1]), (face + sign * end[0], end[1])
    assert crosses_a_wall(OPEN, came_from, raw)
    snap = WALKABLE.snap(*raw, came_from=came_from)
    assert snap.snapped
    assert not crosses_a_wall(OPEN, came_from, (snap.x, snap.y))
    # Not only the right side of the wall, but the nearest place on it.
    assert snap.distance_m == pytest.approx(end[0] + 0.2, abs=2 * CELL)


def test_without_a_past_a_pose_inside_a_wall_goes_to_the_nearer_room():
    assert WALKABLE.snap(3.10, 3.0).x < 3.0
    assert WALKABLE.snap(3.20, 3.0).x > 3.3


@given(st.tuples(st.floats(0.3, 6.0), st.floats(0.3, 3.7)), anywhere)
def test_with_a_past_the_snap_is_on_walkable_floor_too(start, point):
    came_from = WALKABLE.snap(*start)
    if not came_from.snapped:
        return
    snap = WALKABLE.snap(*point, came_from=(came_from.x, came_from.y))
    if snap.snapped:
        assert WALKABLE.is_walkable(snap.x, snap.y)
        assert snap.distance_m <= 1.0
    else:
        assert (snap.x, snap.y) == point


def test_walls_one_pixel_thick_and_slanted_hold():
    # A slanted wall drawn as a line of single pixels leaks through its corners if diagonal cells were neighbours.
    occupancy = np.zeros((60, 60), dtype=np.int8)
    occupancy[np.arange(60), np.arange(60)] = 100
    occupancy[[0, -1], :] = occupancy[:, [0, -1]] = 100
    occupancy[10:13, 45:48] = 100  # makes the lower right part the smaller one
    floor = FloorMap(occupancy, CELL)
    walkable = WalkableMap.from_floor(floor, radius_m=0.0)
    rows, columns = np.nonzero(walkable.walkable)
    assert (rows > columns).all()
    for row, column in np.argwhere(floor.free & ~walkable.walkable):
        assert not walkable.snap(*floor.centre_of([row, column])).snapped


def test_lidar_walls_with_the_unknown_behind():
    occupancy = np.full((60, 60), -1, dtype=np.int8)
    occupancy[10:50, 10:50] = 0
    occupancy[[9, 50], 9:51] = occupancy[9:51, [9, 50]] = 100
    walkable = WalkableMap.from_floor(FloorMap(occupancy, CELL), radius_m=0.1, max_snap_m=0.5)
    behind = walkable.snap(0.35, 1.5)  # 10 cm behind the wall's only pixel
    assert behind.snapped
    assert behind.x == pytest.approx(0.6, abs=CELL)
    assert not walkable.snap(0.05, 1.5).snapped


def test_too_far_stays_and_says_how_far():
    walkable = WalkableMap.from_floor(two_rooms(), radius_m=0.0, max_snap_m=0.3)
    assert walkable.snap(-0.2, 2.0).snapped
    far = walkable.snap(-0.3, 2.0)
    assert (far.x, far.y, far.snapped) == (-0.3, 2.0, False)
    for x, y in ((1e9, 2.0), (math.nan, 2.0), (math.inf, math.inf)):
        assert walkable.snap(x, y, came_from=(1.0, 1.0)).snapped is False


def test_map_with_a_yaw_snaps_as_the_same_map_without():
    origin = (4.0, -3.0, 0.7)
    turned = WalkableMap.from_floor(two_rooms(slice(10, 30), origin), radius_m=0.2)
    cos, sin = math.cos(0.7), math.sin(0.7)

    def there(x: float, y: float) -> tuple[float, float]:
        return origin[0] + cos * x - sin * y, origin[1] + sin * x + cos * y

    for x, y in np.random.default_rng(0).uniform((-0.5, -0.5), (6.5, 4.5), (300, 2)):
        plain, far = WALKABLE.snap(x, y), turned.snap(*there(x, y))
        assert plain.snapped == far.snapped
        assert (far.x, far.y) == pytest.approx(there(plain.x, plain.y), abs=1e-6)


def test_keepout_of_another_resolution_and_origin():
    free = FloorMap(np.zeros((40, 40), dtype=np.int8), 0.1)
    mask = np.full((10, 10), -1, dtype=np.int8)
    mask[2:4, 3:5] = 100
    keepout = FloorMap(mask, 0.25, (1.0, 1.0, 0.0))  # kept out: x 1.75 to 2.25, y 1.5 to 2.0
    walkable = WalkableMap.from_floor(free, keepout, radius_m=0.0)
    rows, columns = np.nonzero(~walkable.walkable)
    centres = free.centre_of(np.stack([rows, columns], axis=1))
    assert centres.min(0) == pytest.approx([1.85 - 0.1, 1.55], abs=0.051)
    assert len(centres) == 25
    snap = walkable.snap(2.2, 1.8)
    assert snap.snapped
    assert snap.x == pytest.approx(2.2, abs=0.11)


def test_only_the_largest_part_is_walkable():
    walkable = WalkableMap.from_floor(two_rooms(), radius_m=0.0)
    centres = walkable.floor.centre_of(np.argwhere(walkable.walkable))
    assert (centres[:, 0].max() < 3.0) or (centres[:, 0].min() > 3.3)


def test_erosion_keeps_the_radius_from_every_wall():
    solid = two_rooms().centre_of(np.argwhere(~OPEN.free))
    for centre in OPEN.centre_of(np.argwhere(WALKABLE.walkable))[::37]:
        gap = np.abs(solid - centre).clip(CELL / 2) - CELL / 2
        assert np.hypot(*gap.T).min() >= 0.2 - CELL / 2


def test_a_snap_that_would_fill_the_memory_is_refused():
    floor = FloorMap(np.zeros((10, 10), dtype=np.int8), 0.05)
    with pytest.raises(FloorError, match=r"max_snap_m of 525 m is more than 2000 cells of 0\.05 m: give less"):
        WalkableMap.from_floor(floor, radius_m=0.1, max_snap_m=525)
    WalkableMap.from_floor(floor, radius_m=0.1, max_snap_m=10)


@pytest.mark.parametrize(
    ("occupancy", "options", "said"),
    [
        ([[100, -1]], {}, "no free cells"),
        ([[0, 0]], {"radius_m": 1.0}, r"radius of 1.0 m: no place is wider than 0\.05 m"),
        ([[0, 0]], {"radius_m": 1e308}, "no walkable cell is left with a radius of 1e\\+308 m"),
        ([[0, 0]], {"radius_m": -1.0}, "radius must be zero or a positive"),
        ([[0, 0]], {"radius_m": math.nan}, "radius must be zero or a positive"),
        ([[0, 0]], {"max_snap_m": 0.0}, "max_snap_m must be a positive"),
        ([[0, 0]], {"keepout": FloorMap(np.full((9, 9), 100), CELL)}, "keep-out mask covers every free cell"),
    ],
)
def test_nothing_walkable_is_said_with_the_reason(occupancy, options, said):
    with pytest.raises(FloorError, match=said):
        WalkableMap.from_floor(FloorMap(np.array(occupancy), CELL), **options)


def test_floor_folder_round_trip(tmp_path):
    assert load_walkable(tmp_path) is None
    keepout = FloorMap(np.pad(np.full((4, 4), 100, dtype=np.int8), 8), 0.1)
    save_walkable(tmp_path, OPEN, keepout, radius_m=0.15, max_snap_m=0.6)
    loaded = load_walkable(tmp_path)
    expected = WalkableMap.from_floor(OPEN, keepout, 0.15, 0.6)
    assert (loaded.walkable == expected.walkable).all()
    assert loaded.max_snap_m == 0.6
    (tmp_path / "walkable.yaml").write_text("radius_m: wide\n")
    with pytest.raises(FloorError, match=r"walkable\.yaml is damaged"):
        load_walkable(tmp_path)


@pytest.mark.parametrize("name", ["floor", "floor/map.yaml", "floor/keepout.yaml", "floor/walkable.yaml"])
def test_a_link_that_leads_nowhere_is_no_missing_file(tmp_path, name):
    """A floor on a disk that is not mounted: poses would be published unsnapped, or beyond the keepout."""
    save_walkable(tmp_path / "floor", OPEN, FloorMap(np.pad(np.full((4, 4), 100, dtype=np.int8), 8), 0.1))
    (tmp_path / name).rename(tmp_path / "floor.moved")
    (tmp_path / name).symlink_to(tmp_path / "gone")
    with pytest.raises(FloorError, match=r"\.yaml.* No such file or directory"):
        load_walkable(tmp_path / "floor")


def test_real_maps_snap_onto_walkable_floor(shared_data):
    rng = np.random.default_rng(0)
    for name in ("4_26_15", "depot"):
        floor = FloorMap.load(shared_data / "maps" / f"{name}.yaml")
        walkable = WalkableMap.from_floor(floor, radius_m=0.25)
        assert walkable.walkable.sum() > 0.3 * floor.free.sum()
        centres = floor.centre_of(np.argwhere(walkable.walkable))
        starts = centres[rng.integers(len(centres), size=1500)]
        for start, raw in zip(starts, starts + rng.normal(0, 0.4, starts.shape), strict=True):
            snap = walkable.snap(*raw, came_from=tuple(start))
            if snap.snapped:
                assert walkable.is_walkable(snap.x, snap.y)
            plain = walkable.snap(*raw)
            cell = floor.cell_of(raw)
            if plain.snapped and floor.contains(cell) and floor.free[tuple(cell)]:
                assert not crosses_a_wall(
                    floor, floor.centre_of(cell), floor.centre_of(floor.cell_of([plain.x, plain.y]))
                )


def test_a_large_map_is_worked_on_in_parts_with_the_same_result(monkeypatch):
    random = np.random.default_rng(3)
    occupancy = np.zeros((400, 90), dtype=np.int8)
    for row, column in random.integers(0, (400, 90), (60, 2)):
        occupancy[row : row + random.integers(1, 30), column : column + random.integers(1, 30)] = random.choice(
            [100, -1]
        )
    floor = FloorMap(occupancy, 0.1)
    keepout = FloorMap(np.where(random.random((20, 9)) < 0.1, 100, 0), 1.3, (3.0, 2.0, 0.2))
    whole = WalkableMap.from_floor(floor, keepout, radius_m=0.25, max_snap_m=0.8)
    for name, value in {"STRIP_CELLS": 90 * 23, "WHOLE_CELLS": 1000, "TILE_SIDE": 37}.items():
        monkeypatch.setattr(f"campose_core.snap_targets.{name}", value)
    in_parts = WalkableMap.from_floor(floor, keepout, radius_m=0.25, max_snap_m=0.8)
    np.testing.assert_array_equal(in_parts.walkable, whole.walkable)
    np.testing.assert_array_equal(in_parts._target, whole._target)
    with pytest.raises(FloorError, match=r"no place is wider than \d"):
        WalkableMap.from_floor(floor, radius_m=20.0)
