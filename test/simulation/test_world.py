"""The simulated floor: its geometry, its map and its painted surfaces."""

from pathlib import Path

import numpy as np
import pytest

from campose_core.errors import UsageError
from campose_core.floor import FloorMap
from campose_core.simulation.building import build_world
from campose_core.simulation.textures import MATERIALS, paint
from campose_core.simulation.world import SIZES


@pytest.mark.parametrize("size", SIZES)
def test_a_seed_is_a_world(size):
    assert build_world(size, 3) == build_world(size, 3)
    assert build_world(size, 3).surfaces != build_world(size, 4).surfaces


def test_an_unknown_size_is_refused():
    with pytest.raises(UsageError, match=r"'huge'.*small, demo"):
        build_world("huge")


@pytest.mark.parametrize("material", MATERIALS)
def test_every_material_is_reproducible_and_rich(material):
    picture = paint(material, 1.0, 0.5, seed=5)
    assert picture.shape[1] == 2 * picture.shape[0]
    np.testing.assert_array_equal(picture, paint(material, 1.0, 0.5, seed=5))
    other = paint(material, 1.0, 0.5, seed=6)
    assert np.abs(picture.astype(int) - other).mean() > 3
    assert (picture.std() > 8) == (material != "blank")


@pytest.mark.parametrize(("size", "seed"), [("small", 0), ("demo", 0), ("demo", 7)])
def test_the_saved_map_is_the_geometry(tmp_path, size, seed):
    world = build_world(size, seed)
    floor = FloorMap.load(world.floor_map().save(tmp_path))
    assert floor.origin[:2] != (0.0, 0.0)
    (x0, y0), (x1, y1) = world.bounds()
    rng = np.random.default_rng(seed)
    points = rng.uniform((x0 - 0.4, y0 - 0.4), (x1 + 0.4, y1 + 0.4), (5000, 2))
    centres = floor.centre_of(floor.cell_of(points))
    rows, columns = floor.cell_of(points).T
    np.testing.assert_array_equal(floor.occupied[rows, columns], world.occupied(centres))
    np.testing.assert_array_equal(floor.free[rows, columns], world.free(centres))
    outside = ((points < (x0 - 0.05, y0 - 0.05)) | (points > (x1 + 0.05, y1 + 0.05))).any(axis=1)
    assert outside.any()
    assert (floor.occupancy[rows, columns][outside] == -1).all()


@pytest.mark.parametrize("seed", range(5))
def test_doors_are_open_and_furniture_is_not(seed):
    world = build_world("demo", seed)
    assert len(world.doorways) == 5
    for door in world.doorways:
        low, high = np.array(door.low), np.array(door.high)
        approach = np.array([door.at(0.5, 0.5), low - 0.05, high + 0.05, (low + high) / 2])
        assert world.free(approach[[0, 3]]).all()
        across = np.array([0.0, 1.0]) if high[0] - low[0] > high[1] - low[1] else np.array([1.0, 0.0])
        way_through = (low + high) / 2 + np.linspace(-0.6, 0.6, 25)[:, None] * across
        assert world.free(way_through).all()
    furniture = [box for box in world.boxes if not box.is_wall]
    assert len(furniture) > 15
    centres = np.array([(np.array(box.low) + box.high)[:2] / 2 for box in furniture])
    assert world.occupied(centres).all()


def test_every_visible_surface_has_its_own_picture():
    surfaces = build_world("demo", 0).surfaces
    assert len({surface.seed for surface in surfaces}) == len(surfaces)


def test_the_example_map_is_the_demo_floor():
    example = FloorMap.load(Path(__file__).resolve().parents[2] / "maps" / "demo.yaml")
    floor = build_world("demo", 0).floor_map()
    np.testing.assert_array_equal(example.occupancy, floor.occupancy)
    assert (example.resolution, example.origin) == (floor.resolution, floor.origin)
