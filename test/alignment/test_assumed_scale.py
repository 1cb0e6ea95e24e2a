"""A map without anything that gives the scale: by the height of a carried camera, or in a unit of its own."""

import json
from dataclasses import replace

import numpy as np
import pytest
from landmark_buildings import anywhere, empty_room, round_walk, seen_from, surveyed, without
from recorded_walks import mapped_scene
from scipy.spatial.transform import Rotation
from two_rooms import drive, floor_map, mapped, scene_at

from campose_core.alignment.assumed_scale import CARRIED_M, CARRIED_SIGMA, DEPTH_UNITS, GIVEN_SIGMA
from campose_core.alignment.carried_height import carried_height
from campose_core.cli.main import main
from campose_core.evaluation.estimates import read_estimates
from campose_core.evaluation.metrics import evaluate
from campose_core.floor import FloorMap
from campose_core.floorplan.attach import attach_floor, attach_floor_from_landmarks
from campose_core.floorplan.scene_floor import walkable_of, why_not_snapped
from campose_core.geometry import Pose
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.map_scale import MEASURED, UNKNOWN, ScaleBasis
from campose_core.scene.scene import Scene
from campose_core.simulation.building import build_world
from campose_core.trajectory import Trajectory, read_tum, write_tum


def room(height: float = CARRIED_M, seed: int = 0) -> Landmarks:
    return seen_from(empty_room(6.0, 5.0), round_walk(1.5, 1.5, height=height), 4000, seed=seed)


def only_walls(landmarks: Landmarks) -> Landmarks:
    return without(landmarks, (landmarks.xyz[:, 2] < 0.1) | (landmarks.xyz[:, 2] > 2.4))


def unscaled(folder, landmarks: Landmarks, seed: int = 0) -> Scene:
    """A mapped scene, not aligned, whose frames are the keyframes; landmarks: in the true map."""
    in_sfm = landmarks.transformed(anywhere(seed))
    stamps = np.arange(len(in_sfm.frame_names)) * 10**8
    sfm_from_cam = Trajectory(stamps, in_sfm.frame_positions, Rotation.from_quat(in_sfm.frame_quats_xyzw))
    scene = mapped_scene(folder, sfm_from_cam, {"kind": "video"})
    replace(in_sfm, frame_names=np.array([frame.name for frame in scene.frames])).save(scene.sfm_dir / "landmarks.npz")
    return scene


def truth_of(landmarks: Landmarks, path) -> str:
    poses = [landmarks.world_from_cam(i) for i in range(len(landmarks.frame_names))]
    write_tum(path, Trajectory.from_poses(np.arange(len(poses)) * 10**8, poses))
    return str(path)


def align(capsys, scene: Scene, *options: str) -> tuple[int, Scene, str]:
    code = main(["align", str(scene.path), *options])
    return code, Scene.open(scene.path), capsys.readouterr().err


def stretched(scene: Scene, landmarks: Landmarks) -> float:
    """Lengths in the scene, of what they are in truth."""
    spread = [np.ptp([f.map_from_cam.translation for f in scene.frames], axis=0), np.ptp(landmarks.frame_positions, 0)]
    return float(np.linalg.norm(spread[0][:2]) / np.linalg.norm(spread[1][:2]))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("height", [1.3, 1.45, 1.6])
def test_a_room_walked_through_with_a_camera_in_the_hand(tmp_path, capsys, seed, height):
    landmarks = room(height, seed)
    code, scene, said = align(capsys, unscaled(tmp_path / "scene", landmarks, seed))
    assert code == 0
    assert scene.scale.basis is ScaleBasis.ASSUMED
    assert scene.scale.relative_sigma == CARRIED_SIGMA
    assert scene.alignment.map_from_sfm.scale == pytest.approx(CARRIED_M / height / anywhere(seed).scale, rel=0.03)
    assert "scale assumed: the camera is taken to have been carried 1.45 m above the floor (15 %)" in said
    assert f"`campose align {scene.path} --reference REF.tum` (or --points" in said
    positions = np.array([frame.map_from_cam.translation for frame in scene.frames])
    assert np.median(positions[:, 2]) == pytest.approx(CARRIED_M)
    assert np.abs(positions[0, :2]).max() < 1e-9
    assert scene.scale.anchor == pytest.approx(tuple(positions[0]))
    # z = 0 is the floor, and up is up.
    in_map = scene.alignment.map_from_sfm.transform(anywhere(seed).transform(np.array([[1.0, 1, 0], [-1, 1, 0]])))
    assert np.abs(in_map[:, 2]).max() < 0.05


def test_a_height_that_is_given_is_better_than_the_usual_one(tmp_path, capsys):
    landmarks = room(0.6)
    scene = unscaled(tmp_path / "scene", landmarks)
    assert stretched(align(capsys, scene)[1], landmarks) == pytest.approx(CARRIED_M / 0.6, rel=0.05)
    code, scene, said = align(capsys, scene, "--camera-height", "0.6")
    assert code == 0
    assert stretched(scene, landmarks) == pytest.approx(1.0, rel=0.03)
    assert scene.scale.relative_sigma == GIVEN_SIGMA
    assert scene.alignment.method.startswith("camera height given, level by")
    assert "by --camera-height, the camera was carried 0.6 m above the floor (5 %)" in said
    assert "done already" in align(capsys, scene, "--camera-height", "0.6")[2]
    assert "done already" not in align(capsys, scene, "--camera-height", "0.7")[2]


def test_where_only_walls_were_seen_the_unit_is_the_maps_own(tmp_path, capsys):
    landmarks = only_walls(room())
    code, scene, said = align(capsys, unscaled(tmp_path / "scene", landmarks, 2))
    assert code == 0
    assert scene.scale == UNKNOWN
    assert "scale unknown: nothing gives it, and no floor was seen" in said
    assert " cm" not in said
    in_map = Landmarks.load(scene.sfm_dir / "landmarks.npz").transformed(scene.alignment.map_from_sfm)
    sight = in_map.xyz[in_map.observed] - in_map.frame_positions[in_map.observed_by]
    assert np.median(np.linalg.norm(sight, axis=1)) == pytest.approx(DEPTH_UNITS)
    up = anywhere(2).rotation.apply([0.0, 0.0, 1.0])
    assert np.degrees(np.arccos(scene.alignment.map_from_sfm.rotation.apply(up)[2])) < 1.0
    code, _, said = align(capsys, scene, "--camera-height", "1.3")
    assert code == 1
    assert said.startswith("campose align: --camera-height 1.3: no floor was seen")
    assert said.count("\n") == 1


def test_a_video_that_tells_not_even_up_has_the_axes_of_its_first_camera(tmp_path, capsys):
    """Half of it is upside down, and there is nothing but clutter."""
    cloud = only_walls(room())
    quats = Rotation.from_quat(cloud.frame_quats_xyzw)
    turned = [q * Rotation.from_euler("z", 180 * (i % 2), degrees=True) for i, q in enumerate(quats)]
    upside_down = replace(cloud, frame_quats_xyzw=np.array([q.as_quat() for q in turned]))
    code, scene, said = align(capsys, unscaled(tmp_path / "scene", upside_down))
    assert code == 0
    assert "not used: level: half of the frames are upside down" in said
    assert scene.scale == UNKNOWN
    first = scene.frames[0].map_from_cam
    assert first.rotation.apply([0.0, -1.0, 0.0]) == pytest.approx([0, 0, 1], abs=1e-9)
    assert first.rotation.apply([0.0, 0.0, 1.0]) == pytest.approx([1, 0, 0], abs=1e-9)


def table(below: int = 0) -> Landmarks:
    """A cluttered table of 1.6 x 0.8 m filmed from its long side, and `below` landmarks on the floor around it."""
    generator = np.random.default_rng(0)
    top = generator.uniform((-0.8, -0.4, 0.74), (0.8, 0.4, 0.74), (900, 3))
    clutter = generator.uniform((-0.8, 0.2, 0.74), (0.8, 0.4, 1.1), (300, 3))
    around = generator.uniform((-2, 0.5, 0.0), (2, 2, 0.0), (below, 3))
    xyz = np.concatenate([top, clutter, around])
    down = Rotation.from_euler("y", 0.6)
    optical = Rotation.from_matrix([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    poses = [
        Pose(Rotation.from_euler("z", np.pi / 2 - 0.4 * x) * down * optical, np.array([x, -0.9, 1.3]))
        for x in np.linspace(-0.7, 0.7, 20)
    ]
    seen = seen_from(empty_room(9.0, 9.0), poses, 10)
    return replace(
        seen,
        xyz=xyz,
        rgb=np.zeros((len(xyz), 3), np.uint8),
        descriptors=np.zeros((len(xyz), 128), np.uint8),
        observed_by=np.repeat(np.arange(20), len(xyz)).astype(np.int32),
        observed=np.tile(np.arange(len(xyz)), 20).astype(np.int32),
    )


@pytest.mark.parametrize("below", [0, 200])
def test_a_table_is_no_floor(tmp_path, capsys, below):
    code, scene, _ = align(capsys, unscaled(tmp_path / "scene", table(below), 1))
    assert code == 0
    assert scene.scale == UNKNOWN


UP = np.array([0.0, 0.0, 1.0])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("height", [0.3, 0.6, 1.45, 1.9])
def test_the_height_of_a_camera_over_the_floor_in_any_frame(seed, height):
    sfm_from_map = anywhere(seed)
    found = carried_height(room(height, seed).transformed(sfm_from_map), sfm_from_map.rotation.apply(UP))
    assert found / sfm_from_map.scale == pytest.approx(height, rel=0.02)


def test_a_furnished_floor_that_bends_like_a_long_map():
    walk = surveyed(build_world("demo", 0))
    assert carried_height(walk, UP) == pytest.approx(0.6, rel=0.02)
    bent = [points + 0.01 * points[:, :1] ** 2 * UP for points in (walk.xyz, walk.frame_positions)]
    assert np.ptp(bent[1][:, 2]) > 0.3
    assert carried_height(replace(walk, xyz=bent[0], frame_positions=bent[1]), UP) == pytest.approx(0.6, rel=0.05)


def test_a_floor_is_below_the_cameras():
    """Somewhere else the same plane is a table, a ledge or the floor of a shop window."""
    landmarks = room()
    beside = replace(landmarks, frame_positions=landmarks.frame_positions + np.array([9.0, 0.0, 0.0]))
    assert carried_height(beside, UP) is None
    unseen = replace(landmarks, observed=landmarks.observed[:0], observed_by=landmarks.observed_by[:0])
    assert carried_height(unseen, UP) is None


def test_walls_and_a_cloud_have_no_floor():
    generator = np.random.default_rng(0)
    assert carried_height(only_walls(room()), UP) is None
    landmarks = room()
    cloud = generator.uniform((-3, -2.5, 0), (3, 2.5, 2.5), landmarks.xyz.shape)
    assert carried_height(replace(landmarks, xyz=cloud), UP) is None


def test_a_reference_afterwards_puts_map_and_floor_right(tmp_path, capsys):
    landmarks = room(1.2)
    _, scene, _ = align(capsys, unscaled(tmp_path / "scene", landmarks))
    scene = attach_floor_from_landmarks(scene, radius_m=0.15)
    assert walkable_of(scene) is not None
    free_m2 = float(FloorMap.load(scene.floor_yaml).free.sum()) * 0.05**2
    mapped_at = (scene.sfm_dir / "landmarks.npz").stat().st_mtime_ns
    code, scene, said = align(capsys, scene, "--reference", truth_of(landmarks, tmp_path / "truth.tum"))
    assert code == 0
    assert scene.scale == MEASURED
    assert stretched(scene, landmarks) == pytest.approx(1.0, abs=0.002)
    assert (scene.sfm_dir / "landmarks.npz").stat().st_mtime_ns == mapped_at
    assert "floor: made anew from the recording" in said
    walkable = walkable_of(scene)
    assert scene.steps["floor"]["options"]["radius_m"] == 0.15
    assert all(walkable.snap(x, y).distance_m < 0.1 for x, y in landmarks.frame_positions[:, :2])
    assert walkable.floor.free.sum() * 0.05**2 == pytest.approx(free_m2 * (1.2 / CARRIED_M) ** 2, rel=0.1)
    # Without anything said, what was measured stays.
    code, again, said = align(capsys, scene)
    assert (code, again.alignment.to_dict()) == (0, scene.alignment.to_dict())
    assert "align: stays by reference poses" in said


def test_a_distance_afterwards_measures_the_scale(tmp_path, capsys):
    landmarks = room(1.1)
    _, scene, _ = align(capsys, unscaled(tmp_path / "scene", landmarks))
    metres = float(np.linalg.norm(landmarks.frame_positions[24] - landmarks.frame_positions[0]))
    names = [scene.frames[i].name for i in (0, 24)]
    code, scene, _ = align(capsys, scene, "--distance", *names, str(metres))
    assert code == 0
    assert scene.scale == MEASURED
    assert stretched(scene, landmarks) == pytest.approx(1.0, abs=0.01)


def test_a_floor_plan_is_snapped_to_where_the_map_was_matched_to_it_alone(tmp_path, capsys):
    floor_map().save(tmp_path / "plan")
    scene = scene_at(
        tmp_path / "scene", mapped(drive(np.arange(0.6, 9.5, 0.2), 0), per_m2=30), aligned=False, floor=False
    )
    _, assumed, _ = align(capsys, scene)
    for scale in (assumed.scale, UNKNOWN):
        alignment = replace(assumed.alignment, scale=scale)
        given = attach_floor(replace(assumed, alignment=alignment), tmp_path / "plan" / "map.yaml")
        assert walkable_of(given) is None
        assert why_not_snapped(given).startswith(f"{scale.in_words()}: nothing has shown where")
    measured = replace(given, alignment=replace(assumed.alignment, scale=MEASURED))
    assert walkable_of(measured) is not None


def test_the_floor_that_was_made_under_an_assumption_goes_where_the_scale_becomes_unknown(tmp_path, capsys):
    landmarks = room()
    _, scene, _ = align(capsys, unscaled(tmp_path / "scene", landmarks))
    attach_floor_from_landmarks(scene)
    in_sfm = only_walls(landmarks).transformed(anywhere(0))
    names = np.array([frame.name for frame in scene.frames])
    replace(in_sfm, frame_names=names).save(scene.sfm_dir / "landmarks.npz")
    Scene.open(scene.path).without_step("align").save()
    code, scene, said = align(capsys, scene)
    assert code == 0
    assert scene.scale == UNKNOWN
    assert "floor: none any more, so poses are not snapped: the scale of" in said
    assert not scene.floor_yaml.is_file()


def test_the_scale_is_told_as_json(tmp_path, capsys):
    scene = unscaled(tmp_path / "scene", room())
    assert main(["align", str(scene.path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["scale_basis"]
    assert (told["basis"], told["relative_sigma"], len(told["anchor"])) == ("assumed", CARRIED_SIGMA, 3)


@pytest.mark.slow
def test_a_video_alone_builds_and_answers(small_world, tmp_path, capsys):
    """The rendered robot's camera is 0.6 m high, and nobody says so until the end."""
    scene, query = tmp_path / "scene", str(small_world / "later.mp4")
    assert main(["build", str(small_world / "mapping.mp4"), "--scene", str(scene)]) == 0
    opened = Scene.open(scene)
    assert opened.scale.basis is ScaleBasis.ASSUMED
    assert walkable_of(opened) is not None
    assert main(["localize", str(scene), query, "--out", str(tmp_path / "later.tum")]) == 0
    assert json.loads((tmp_path / "later.json").read_text())["scale"] == "assumed"
    capsys.readouterr()
    assert main(["align", str(scene), "--reference", str(small_world / "mapping.tum")]) == 0
    assert "floor: made anew" in capsys.readouterr().err
    assert main(["localize", str(scene), query, "--out", str(tmp_path / "later.tum")]) == 0
    assert json.loads((tmp_path / "later.json").read_text())["scale"] == "measured"
    metrics = evaluate(read_estimates(tmp_path / "later.tum"), read_tum(small_world / "later.tum"))
    assert metrics.position_m.median < 0.05
