"""A reconstruction finds its place on a floor map from the map alone, or says that it cannot."""

import re
from dataclasses import replace

import numpy as np
import pytest
from landmark_buildings import anywhere, empty_room, round_walk, seen_from, surveyed, without

from campose_core.alignment.floor_matching.refine import align_to_floor
from campose_core.camera import Camera
from campose_core.cli.main import main
from campose_core.errors import AlignmentError
from campose_core.floor import FREE, OCCUPIED, UNKNOWN, FloorMap
from campose_core.geometry import Similarity
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.scene.alignment import Alignment
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.sfm.registration import SfmPoses
from campose_core.simulation.building import build_world


@pytest.fixture(scope="module")
def walk() -> Landmarks:
    return surveyed(build_world("demo", 0))


@pytest.fixture(scope="module")
def floor() -> FloorMap:
    return build_world("demo", 0).floor_map()


def errors(found: Similarity, sfm_from_map: Similarity, landmarks: Landmarks) -> tuple[float, float]:
    """Metres of the worst camera, and degrees, between map_from_sfm and the truth."""
    map_from_map = found * sfm_from_map
    off = np.linalg.norm(map_from_map.transform(landmarks.frame_positions) - landmarks.frame_positions, axis=1)
    return float(off.max()), float(np.degrees(map_from_map.rotation.magnitude()))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_floor_map_alone_tells_scale_heading_and_place(walk, floor, seed):
    sfm_from_map = anywhere(seed)
    found, residual = align_to_floor(walk.transformed(sfm_from_map), floor)
    metres, degrees = errors(found, sfm_from_map, walk)
    assert metres < 0.05
    assert degrees < 0.5
    assert residual.median_m < 0.05
    assert residual.second < 0.8
    assert residual.near > 0.6
    assert residual.free > 0.9
    assert residual.level_deg < 1.0


def test_a_map_with_a_turned_origin(walk, floor):
    # The same building in another map frame: turned by 0.6 about its corner, which lies elsewhere.
    elsewhere = FloorMap(floor.occupancy, floor.resolution, (12.0, -3.0, 0.6))
    found, _ = align_to_floor(walk, elsewhere)
    cells = floor.cell_of(walk.frame_positions[:, :2])
    expected = elsewhere.centre_of(cells)
    assert np.linalg.norm(found.transform(walk.frame_positions)[:, :2] - expected, axis=1).max() < 0.1
    assert np.degrees((found.rotation.as_rotvec())[2]) == pytest.approx(np.degrees(0.6), abs=0.5)


def test_furniture_that_is_not_on_the_plan(walk):
    world = build_world("demo", 0)
    bare = replace(world, boxes=tuple(box for box in world.boxes if box.is_wall)).floor_map()
    sfm_from_map = anywhere(4)
    found, _ = align_to_floor(walk.transformed(sfm_from_map), bare)
    metres, degrees = errors(found, sfm_from_map, walk)
    assert metres < 0.08
    assert degrees < 0.5


def test_a_known_scale_and_a_camera_height_narrow_the_search(walk, floor):
    sfm_from_map = anywhere(5)
    found, _ = align_to_floor(walk.transformed(sfm_from_map), floor, scale=1.04 / sfm_from_map.scale)
    assert errors(found, sfm_from_map, walk)[0] < 0.05
    found, _ = align_to_floor(walk.transformed(sfm_from_map), floor, camera_height_m=0.6)
    assert errors(found, sfm_from_map, walk)[0] < 0.05


def test_an_unseen_floor_needs_the_height_of_the_camera(walk, floor):
    above = without(walk, walk.xyz[:, 2] < 0.1)
    with pytest.raises(AlignmentError, match="no floor was seen: give the camera's height"):
        align_to_floor(above, floor, scale=1.0)
    found, _ = align_to_floor(above, floor, scale=1.0, camera_height_m=0.6)
    assert errors(found, Similarity.identity(), walk)[0] < 0.08


def test_a_symmetric_room_is_reported_and_not_guessed():
    room = empty_room(6.0, 4.0)
    landmarks = seen_from(room, round_walk(1.8, 1.0), 4000)
    with pytest.raises(AlignmentError, match="ambiguous") as caught:
        align_to_floor(landmarks.transformed(anywhere(6)), room.floor_map())
    places = re.findall(r"at \((-?[\d.]+), (-?[\d.]+)\) m looking to (-?\d+) degrees", str(caught.value))
    first, second = (np.array(place, dtype=float) for place in places)
    # One is the truth, the other is half a turn away; which is which is not told.
    assert np.allclose(first[:2], -second[:2], atol=0.1)
    assert abs(abs(first[2] - second[2]) - 180) < 3
    truth = landmarks.frame_positions[0, :2]
    assert min(np.linalg.norm(first[:2] - truth), np.linalg.norm(second[:2] - truth)) < 0.1


def other_floors() -> dict[str, FloorMap]:
    floor = build_world("demo", 0).floor_map()
    return {
        "stretched": FloorMap(floor.occupancy.repeat(3, axis=1)[:, ::2], floor.resolution, floor.origin),
        "one room": build_world("small", 0).floor_map(),
        "open hall": empty_room(14.0, 11.0).floor_map(),
    }


@pytest.mark.parametrize("name", ["stretched", "one room", "open hall"])
def test_the_map_of_another_floor_is_refused(walk, name):
    with pytest.raises(AlignmentError, match=r"does not fit the floor map: .*map of this floor") as caught:
        align_to_floor(walk.transformed(anywhere(7)), other_floors()[name])
    assert "m apart (at most 0.08), " in str(caught.value)
    assert "% of them near one of the map (at least 64), and " in str(caught.value)
    assert "% of what was seen through is free (at least 90). " in str(caught.value)


@pytest.mark.parametrize(("value", "said"), [(FREE, "no occupied"), (OCCUPIED, "no free"), (UNKNOWN, "no free")])
def test_a_map_without_walls_or_floor(walk, value, said):
    with pytest.raises(AlignmentError, match=f"{said} cells"):
        align_to_floor(walk, FloorMap(np.full((50, 50), value, dtype=np.int8), 0.1))


def test_a_recording_that_is_larger_than_the_map(walk):
    cupboard = empty_room(0.8, 0.8).floor_map()
    with pytest.raises(AlignmentError, match="the recorded path is larger than the floor map"):
        align_to_floor(walk, cupboard, scale=1.0)


def test_too_few_walls_were_seen(walk, floor):
    only_floor = without(walk, walk.xyz[:, 2] > 0.05)
    with pytest.raises(AlignmentError, match="wall points were reconstructed: record the walls too"):
        align_to_floor(only_floor, floor)


@pytest.fixture
def scene(tmp_path, walk) -> Scene:
    """A mapped scene, as far as `campose align --from floor` reads it."""
    landmarks = walk.transformed(anywhere(8))
    names = landmarks.frame_names
    frames = tuple(SceneFrame(str(name), "mapping", i * 500_000_000, "mapping") for i, name in enumerate(names))
    camera = Camera.from_field_of_view(64, 48, 60.0)
    scene = Scene(tmp_path / "scene", "scene", {"mapping": camera}, frames=frames).with_step("map", {})
    scene.save()
    landmarks.save(scene.sfm_dir / "landmarks.npz")
    SfmPoses(names, landmarks.frame_positions, landmarks.frame_quats_xyzw).save(scene.sfm_dir / "poses.npz")
    return scene


def test_the_verbs_align_a_scene_by_its_floor_map_and_again_for_another_map(scene, walk, floor, tmp_path, capsys):
    def align_to(name: str, other: FloorMap) -> int:
        assert main(["floor", str(scene.path), "--map", str(other.save(tmp_path, name))]) == 0
        capsys.readouterr()
        return main(["align", str(scene.path), "--from", "floor"])

    assert align_to("this", floor) == 0
    frames = Scene.open(scene.path).frames
    off = [frame.map_from_cam.translation - walk.frame_positions[i] for i, frame in enumerate(frames)]
    assert np.linalg.norm(off, axis=1).max() < 0.05
    assert Scene.open(scene.path).alignment.method == "floor plan"
    capsys.readouterr()
    assert align_to("elsewhere", FloorMap(floor.occupancy, floor.resolution, (50.0, 20.0, 0.0))) == 0
    assert "done already" not in capsys.readouterr().err
    assert Scene.open(scene.path).frames[0].map_from_cam.translation[0] > 40
    assert align_to("other", other_floors()["stretched"]) == 1
    error = capsys.readouterr().err
    assert "does not fit the floor map" in error
    assert error.count("\n") == 1


def test_a_floor_made_from_the_recording_does_not_confirm_its_alignment(scene, floor, tmp_path, capsys):
    assert main(["floor", str(scene.path), "--map", str(floor.save(tmp_path, "this"))]) == 0
    assert main(["align", str(scene.path), "--from", "floor"]) == 0
    assert main(["floor", str(scene.path)]) == 0
    assert main(["align", str(scene.path), "--from", "floor"]) == 1
    assert "unless it was made from the recording" in capsys.readouterr().err


def test_a_floor_map_does_not_replace_a_scale_that_was_measured_unless_it_is_asked_for(scene, floor, tmp_path, capsys):
    true = Alignment(anywhere(8).inverse(), "reference poses")
    scene.with_step("align", {}, alignment=true).save()
    smaller = FloorMap(floor.occupancy, 0.6 * floor.resolution, floor.origin)
    assert main(["floor", str(scene.path), "--map", str(smaller.save(tmp_path, "smaller"))]) == 0
    assert main(["align", str(scene.path)]) == 0
    kept = Scene.open(scene.path).alignment
    assert kept.method == "reference poses"
    assert kept.map_from_sfm.scale == pytest.approx(true.map_from_sfm.scale)
    assert "align: stays by reference poses" in capsys.readouterr().err
    assert main(["align", str(scene.path), "--from", "floor"]) == 0
    assert Scene.open(scene.path).alignment.map_from_sfm.scale == pytest.approx(0.6 * kept.map_from_sfm.scale, rel=0.02)


def test_a_building_as_small_as_a_table_is_none(walk, floor):
    # As of a resolution with a wrong digit; a scene that is shrunk that far is also near any wall of a right map.
    times = 1 / 5.5  # the camera is 11 cm above the floor then, which some are
    one_room = without(walk, np.linalg.norm(walk.xyz[:, :2] - np.median(walk.xyz[:, :2], axis=0), axis=1) > 2.5)
    x, y, yaw = floor.origin
    table = FloorMap(floor.occupancy, floor.resolution * times, (x * times, y * times, yaw))
    with pytest.raises(AlignmentError, match=r"does not fit the floor map|larger than the floor map"):
        align_to_floor(one_room.transformed(anywhere(2)), table)
