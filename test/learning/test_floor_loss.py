"""How far off the floor a position is, held against all walkable cells, one by one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from campose_core.floor import FloorMap
from campose_core.learning.floor_loss import MARGIN_M, FloorDistance
from campose_core.walkable import WalkableMap

CELL = 0.1
ORIGINS = {"plain": (0.0, 0.0, 0.0), "moved": (-7.3, 4.1, 0.0), "turned": (12.0, -3.0, 2.2)}


def walkable_of(origin) -> WalkableMap:
    """An L of floor, 4 x 3 m, walls around it and a block in its corner."""
    occupancy = np.zeros((30, 40), dtype=np.int8)
    occupancy[[0, -1], :] = occupancy[:, [0, -1]] = 100
    occupancy[15:, 20:] = -1
    return WalkableMap.from_floor(FloorMap(occupancy, CELL, origin), radius_m=0.2)


MAPS = {name: walkable_of(origin) for name, origin in ORIGINS.items()}
DISTANCES = {name: FloorDistance(walkable) for name, walkable in MAPS.items()}
names = st.sampled_from(list(ORIGINS))
in_cells = st.tuples(st.floats(-40.0, 80.0), st.floats(-40.0, 70.0))


def centres(name: str) -> np.ndarray:
    return MAPS[name].floor.centre_of(np.argwhere(MAPS[name].walkable))


def point_at(name: str, cells) -> np.ndarray:
    """Map point of (column, row) counted in cells from the outer corner of the map."""
    column, row = cells
    return MAPS[name].floor.centre_of(np.array([row - 0.5, column - 0.5]))


def look_up(name: str, points) -> np.ndarray:
    return DISTANCES[name](torch.as_tensor(np.asarray(points), dtype=torch.float32)).numpy()


@pytest.mark.parametrize("name", ORIGINS)
def test_it_is_zero_on_every_walkable_cell_and_nowhere_else(name):
    rows, columns = MAPS[name].floor.shape
    every = np.argwhere(np.ones((rows, columns)))
    found = look_up(name, MAPS[name].floor.centre_of(every)).reshape(rows, columns)
    np.testing.assert_allclose(found[MAPS[name].walkable], 0.0, atol=1e-3)
    assert (found[~MAPS[name].walkable] > 0.9 * CELL).all()


@given(names, in_cells)
def test_elsewhere_it_is_the_metres_to_the_nearest_walkable_cell(name, cells):
    point = point_at(name, cells)
    expected = np.linalg.norm(centres(name) - point, axis=1).min()
    assert look_up(name, point) == pytest.approx(expected, abs=0.8 * CELL)


@settings(max_examples=30)
@given(names, in_cells)
def test_following_the_slope_down_leads_back_to_the_floor(name, cells):
    position = torch.tensor(point_at(name, cells), dtype=torch.float32, requires_grad=True)
    distance = DISTANCES[name]
    first = float(distance(position).detach())
    for _ in range(int(first / (0.5 * CELL)) + 60):
        off = distance(position)
        (slope,) = torch.autograd.grad(off, position)
        if float(off.detach()) < CELL:
            break
        # Away from the floor, a metre a metre.
        assert float(slope.norm()) < 1.5
        with torch.no_grad():
            position -= 0.5 * CELL * slope / slope.norm().clamp_min(0.3)
    assert float(distance(position).detach()) <= CELL


def test_a_batch_of_poses_is_looked_up_one_by_one_and_height_does_not_count():
    points = torch.tensor(np.array([point_at("turned", cells) for cells in ((3, 4), (-5, 10), (60, 10), (30, 28))]))
    one_by_one = look_up("turned", points)
    lifted = torch.cat([points, torch.arange(4.0)[:, None]], dim=1).float().view(2, 2, 3)
    found = DISTANCES["turned"](lifted)
    assert found.shape == (2, 2)
    np.testing.assert_allclose(found.flatten().numpy(), one_by_one, atol=1e-5)


@pytest.mark.parametrize("far", [1e2, 1e6, -1e6])
def test_far_outside_the_map_it_is_finite(far):
    position = torch.tensor([[far, far, 0.0], [0.5, 0.5, 0.0]], requires_grad=True)
    found = DISTANCES["plain"](position)
    found.sum().backward()
    assert float(found[0].detach()) >= MARGIN_M
    assert found.isfinite().all()
    assert position.grad.isfinite().all()
