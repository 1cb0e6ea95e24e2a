"""A floor map of elsewhere or inside out is told when it is attached, and when its scene is aligned."""

from pathlib import Path

import numpy as np
import pytest
from landmark_buildings import anywhere, surveyed

from campose_core.camera import Camera
from campose_core.cli.main import main
from campose_core.floor import FREE, OCCUPIED, FloorMap
from campose_core.floorplan.attach import save_aligned
from campose_core.floorplan.fit import share_on_walls
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.scene.alignment import Alignment
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.simulation.building import build_world

WORLD = build_world("demo", 0)
TRUE_FLOOR = WORLD.floor_map()


@pytest.fixture(scope="module")
def walk() -> Landmarks:
    return surveyed(WORLD, 5000, 60)


@pytest.fixture
def scene(tmp_path, walk) -> Scene:
    """A mapped and aligned scene, as far as `campose floor` reads it."""
    sfm_from_map = anywhere(3)
    frames = tuple(
        SceneFrame(str(name), "mapping", i * 500_000_000, "mapping", "", walk.world_from_cam(i))
        for i, name in enumerate(walk.frame_names)
    )
    cameras = {"mapping": Camera.from_field_of_view(64, 48, 60.0)}
    scene = Scene(tmp_path / "scene", "scene", cameras, {"mapping": {"kind": "bag"}}, frames=frames)
    alignment = Alignment(sfm_from_map.inverse(), "by hand")
    scene = scene.with_step("map", {}).with_step("align", {}, alignment=alignment)
    scene.save()
    walk.transformed(sfm_from_map).save(scene.sfm_dir / "landmarks.npz")
    return scene


def saved(folder: Path, floor: FloorMap, name: str = "given") -> str:
    return str(floor.save(folder, name))


def moved(floor: FloorMap, by: tuple[float, float], scale: float = 1.0) -> FloorMap:
    x, y, yaw = floor.origin
    return FloorMap(floor.occupancy, floor.resolution * scale, (x * scale + by[0], y * scale + by[1], yaw))


def test_the_map_of_this_floor_is_taken_without_a_word(scene, tmp_path, capsys, walk):
    assert main(["floor", str(scene.path), "--map", saved(tmp_path, TRUE_FLOOR)]) == 0
    assert "WARNING" not in capsys.readouterr().err
    assert share_on_walls(walk, TRUE_FLOOR) > 0.6


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (moved(TRUE_FLOOR, (40.0, 0.0)), "100% of the keyframes stand where the floor map is not free"),
        (moved(TRUE_FLOOR, (0.0, 0.0), 3.0), "of the landmarks at wall height lie on walls of the floor map"),
        (FloorMap(np.pad(np.zeros((400, 400), np.int8), 1, constant_values=100), 0.05, (-10.0, -10.0, 0.0)),
         "only 0% of the landmarks at wall height lie on walls"),
    ],
    ids=["elsewhere", "three times as large", "of a large empty hall"],
)  # fmt: skip
def test_a_map_of_elsewhere_is_told(scene, tmp_path, capsys, wrong, said):
    yaml = saved(tmp_path, wrong)
    for _ in range(2):  # also where it is attached already
        assert main(["floor", str(scene.path), "--map", yaml]) == 0
        told = capsys.readouterr().err
        assert said in told
        assert "is it the map of this floor, in metres, and in the frame of the alignment?" in told


def test_a_map_that_was_attached_before_is_told_when_the_scene_is_aligned(scene, tmp_path, capsys):
    bare = scene.without_step("align")
    bare.save()
    assert main(["floor", str(scene.path), "--map", saved(tmp_path, moved(TRUE_FLOOR, (40.0, 0.0)))]) == 0
    assert "WARNING" not in capsys.readouterr().err
    with_floor = Scene.open(scene.path).with_step("align", {}, alignment=scene.alignment)
    save_aligned(with_floor)
    assert "100% of the keyframes stand where the floor map is not free" in capsys.readouterr().err


def test_free_paper_around_the_building_that_takes_the_place_of_its_rooms_is_told(scene, tmp_path, capsys):
    # As a drawing with painted walls on white paper: the paper around is the largest part that hangs together.
    occupancy = np.where(TRUE_FLOOR.free, FREE, OCCUPIED).astype(np.int8)
    paper = np.pad(np.pad(occupancy, 4, constant_values=OCCUPIED), 120, constant_values=FREE)
    x, y, yaw = TRUE_FLOOR.origin
    aside = 124 * TRUE_FLOOR.resolution
    drawn = FloorMap(paper, TRUE_FLOOR.resolution, (x - aside, y - aside, yaw))
    assert main(["floor", str(scene.path), "--map", saved(tmp_path, drawn)]) == 0
    told = capsys.readouterr().err
    assert "of the keyframes have nothing walkable in reach, so poses there are not snapped" in told
    assert "leave nothing free outside of the building" in told


def test_a_keep_out_mask_that_keeps_out_nothing_or_the_robot_is_told(scene, tmp_path, capsys):
    yaml, (x, y, _) = saved(tmp_path, TRUE_FLOOR), TRUE_FLOOR.origin
    zone = np.zeros(TRUE_FLOOR.shape, np.int8)
    zone[30:40] = OCCUPIED
    for name, mask, said in (
        ("beside", FloorMap(zone, TRUE_FLOOR.resolution, (x + 99.0, y, 0.0)), "the keep-out mask keeps no free cell"),
        ("inverted", FloorMap((OCCUPIED - zone).astype(np.int8), TRUE_FLOOR.resolution, (x, y, 0.0)),
         "of the keyframes stand where the keep-out mask forbids it: is it inverted (negate)?"),
    ):  # fmt: skip
        keepout = saved(tmp_path, mask, name)
        assert main(["floor", str(scene.path), "--map", yaml, "--keepout", keepout]) == 0
        assert said in capsys.readouterr().err
    keepout = saved(tmp_path, FloorMap(zone, TRUE_FLOOR.resolution, (x, y, 0.0)), "right")
    assert main(["floor", str(scene.path), "--map", yaml, "--keepout", keepout]) == 0
    assert "WARNING" not in capsys.readouterr().err
