"""A drive with two cameras through a rendered room, mapped with and without what is known of the rig."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from rig_recordings import LATE_NS, MOUNTINGS, TOPICS, drawn_drive, rig_bag
from scipy.spatial.transform import Rotation

from campose_core.capture.extract import extract
from campose_core.errors import MappingError
from campose_core.geometry import Pose, pose_error
from campose_core.joining.robust_similarity import align_to_poses
from campose_core.landmark_map.colmap import from_colmap_pose, load_pycolmap
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.rig import Rig
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.sfm.mapper import reconstruction
from campose_core.sfm.pipeline import MapOptions, map_scene
from campose_core.sfm.registration import SfmPoses
from campose_core.sfm.rig_calibration import poses_by_partners, scale_from_rig
from campose_core.sfm.rig_constraints import keep_moments_together, rig_pairs, rigs_of_keyframes
from campose_core.sfm.stage_process import run_stage

slow = pytest.mark.slow
FRONT, LEFT = "robot_front", "robot_left"
FRONT_FROM_LEFT = MOUNTINGS["front"].inverse() * MOUNTINGS["left"]


@pytest.fixture(scope="module")
def robot(tmp_path_factory):
    """The mapped scene, and the true map_from_cam of each frame. One image of the left camera is missing."""
    folder = tmp_path_factory.mktemp("rig")
    way, pictures = drawn_drive()
    bag = rig_bag(folder / "robot", way.stamps_ns, pictures, MOUNTINGS, dropped=(("left", 20),))
    scene = extract(Scene.open_or_create(folder / "scene"), [bag], topic=list(TOPICS.values()))
    scene = map_scene(scene, MapOptions())
    map_from_base = dict(way)
    truth = {}
    for frame in scene.frames:
        late = LATE_NS if frame.source == LEFT else 0
        truth[frame.name] = map_from_base[frame.stamp_ns - late] * MOUNTINGS[frame.source.removeprefix("robot_")]
    return scene, truth


def report(scene):
    return json.loads((scene.sfm_dir / "report.json").read_text())


def keyframes_of(scene):
    names = [str(name) for name in Landmarks.load(scene.sfm_dir / "landmarks.npz").frame_names]
    return {source: [name for name in names if name.startswith(source)] for source in (FRONT, LEFT)}


def reconstructed(scene, tmp_path, mapper="global", rig=None, zoomed=()):
    """The stage alone, on a copy of the scene's matches: its report, and sfm_from_cam by name. zoomed: images that show
    all larger by 1.3."""
    database = tmp_path / "database.db"
    shutil.copyfile(scene.sfm_dir / "database.db", database)
    with load_pycolmap().Database.open(database) as db:
        for image in db.read_all_images():
            if image.name in zoomed:
                camera, keypoints = db.read_camera(image.camera_id), db.read_keypoints(image.image_id)
                centre = np.array([camera.width / 2, camera.height / 2])
                keypoints[:, :2] = centre + 1.3 * (keypoints[:, :2] - centre)
                db.update_keypoints(image.image_id, keypoints)
    changed = replace(scene, rigs={FRONT: rig} if rig else {})
    arguments = {
        "images": str(scene.frames_dir), "database": str(database), "model": str(tmp_path / "model"), "mapper": mapper,
        "names": keyframes_of(scene), "odometry": {}, "guessed": [], "kind": "sift",
        "rigs": rigs_of_keyframes(changed, keyframes_of(scene), "known"),
    }  # fmt: skip
    found = run_stage(reconstruction, arguments, tmp_path / "log", 300, 1)
    model = load_pycolmap().Reconstruction(tmp_path / "model")
    poses = {
        model.image(i).name: from_colmap_pose(model.image(i).cam_from_world().inverse()) for i in model.reg_image_ids()
    }
    return found, poses


def moments_of(scene):
    return rigs_of_keyframes(scene, keyframes_of(scene), "known")[0]["moments"]


def fitted(poses, truth):
    """Scale (metres per unit) and the median error in metres after alignment to the truth."""
    alignment = align_to_poses(list(poses.values()), [truth[name] for name in poses])
    return alignment.map_from_sfm.scale, alignment.residual.median_m


@slow
def test_a_known_rig_keeps_its_place_and_makes_the_map_metric(robot):
    scene, truth = robot
    poses = SfmPoses.load(scene).poses()
    assert set(poses) == {frame.name for frame in scene.frames}
    scale, metres = fitted(poses, truth)
    assert scale == pytest.approx(1.0, abs=0.02)
    assert metres < 0.01
    for front, left in (names for names in moments_of(scene) if len(names) == 2):
        assert max(pose_error(poses[front].inverse() * poses[left], FRONT_FROM_LEFT)) < 1e-6
    (rig,) = report(scene)["rigs"]
    assert rig["held"]
    assert rig["off_deg"][LEFT] < 0.5
    assert rig["off_m"][LEFT] < 0.02


@slow
def test_a_map_of_a_rig_is_found_again_without_whole_moments_of_it(robot):
    scene, _ = robot
    held_out = report(scene)["held_out"]
    assert held_out["keyframes"] >= 20
    assert held_out["found"] == held_out["keyframes"]
    assert held_out["median_percent_of_depth"] < 1.0


@slow
def test_the_pictures_of_a_moment_are_keyframes_together(robot):
    scene, _ = robot
    number = {f.name: f.stamp_ns - (LATE_NS if f.source == LEFT else 0) for f in scene.frames}
    front, left = ({number[name] for name in names} for names in keyframes_of(scene).values())
    assert left <= front
    assert len(front - left) <= 1  # one of the left images is missing


@slow
def test_without_the_rig_the_scale_is_read_off_the_known_places(robot, tmp_path):
    scene, truth = robot
    found, poses = reconstructed(scene, tmp_path)
    assert found["rigs"] == []
    scale, metres = fitted(poses, truth)
    assert not 0.98 < scale < 1.02
    by_rig = scale_from_rig(poses, scene.rigs[FRONT], moments_of(scene))
    assert by_rig is not None
    assert by_rig.scale == pytest.approx(scale, rel=0.02)
    assert abs(by_rig.scale / scale - 1) < 4 * by_rig.relative_error
    assert by_rig.off_deg[LEFT] < 0.5
    _, with_rig = fitted({name: pose for name, pose in SfmPoses.load(scene).poses().items() if name in poses}, truth)
    assert with_rig < metres


@slow
def test_an_unknown_place_is_estimated(robot, tmp_path):
    scene, truth = robot
    unknown = replace(scene.rigs[FRONT], rig_from_cam={FRONT: Pose.identity(), LEFT: None})
    found, poses = reconstructed(scene, tmp_path, rig=unknown)
    assert [rig["held"] for rig in found["rigs"]] == [False]
    scale, metres = fitted(poses, truth)
    assert metres < 0.01
    front, left = next(names for names in moments_of(scene) if len(names) == 2)
    place = poses[front].inverse() * poses[left]
    metric = Pose(place.rotation, scale * place.translation)
    assert pose_error(metric, FRONT_FROM_LEFT)[0] < 0.01
    assert pose_error(metric, FRONT_FROM_LEFT)[1] < np.radians(0.3)


@slow
def test_the_incremental_mapper_holds_a_known_rig(robot, tmp_path):
    scene, truth = robot
    found, poses = reconstructed(scene, tmp_path, "incremental", scene.rigs[FRONT])
    assert found["rigs"][0]["held"]
    scale, metres = fitted(poses, truth)
    assert scale == pytest.approx(1.0, abs=0.02)
    assert metres < 0.01


@slow
@pytest.mark.parametrize(("turned_deg", "said"), [(5.0, r"(4\.[89]|5\.[01])"), (180.0, r"(179\.\d|180\.0)")])
def test_a_tf_that_the_pictures_contradict_is_named(robot, tmp_path, turned_deg, said):
    scene, _ = robot
    turn = Rotation.from_euler("z", turned_deg, degrees=True)
    wrong = Pose(turn * MOUNTINGS["left"].rotation, MOUNTINGS["left"].translation)
    rig = replace(scene.rigs[FRONT], rig_from_cam={FRONT: MOUNTINGS["front"], LEFT: wrong})
    with pytest.raises(MappingError, match=rf"robot_left sits {said} deg .* next to robot_front: .*--rig estimated"):
        reconstructed(scene, tmp_path, rig=rig)
    assert not (tmp_path / "model").exists()


@slow
def test_a_lens_that_switches_in_a_rig_is_found_before_the_tf_is_blamed(robot, tmp_path):
    scene, _ = robot
    of_left = keyframes_of(scene)[LEFT]
    found, _ = reconstructed(scene, tmp_path, rig=scene.rigs[FRONT], zoomed=of_left[len(of_left) // 2 :])
    ((source, before, _),) = found["zooms"]
    assert source == LEFT
    assert abs(of_left.index(before) - len(of_left) // 2) <= 4
    assert found["rigs"] == [{"cameras": [FRONT, LEFT], "held": False}]


def scene_of(**stamps_ms):
    frames = [
        SceneFrame(f"{source}/{i}.jpg", source, round(ms * 1e6), source)
        for source, all_ms in stamps_ms.items()
        for i, ms in enumerate(all_ms)
    ]
    places = {"a": Pose.identity(), "b": Pose(Rotation.from_euler("y", -80, degrees=True), np.array([-0.2, 0.0, 0.1]))}
    return Scene("", "rig", frames=tuple(frames), rigs={"a": Rig("base_link", places, 20_000_000)})


def test_the_reference_camera_chooses_the_keyframes_of_a_rig():
    scene = scene_of(a=[0, 100, 300, 400], b=[5, 105, 205, 405])
    chosen = {"a": ["a/0.jpg", "a/3.jpg"], "b": ["b/1.jpg", "b/2.jpg"]}
    # b/1 belongs to a/1, which is none; b/2 has no partner and stays.
    assert keep_moments_together(chosen, scene) == {"a": chosen["a"], "b": ["b/0.jpg", "b/2.jpg", "b/3.jpg"]}


def test_different_cameras_are_matched_at_a_moment_and_its_neighbours():
    scene = scene_of(a=[0, 100, 200], b=[0, 100, 200])
    rigs = rigs_of_keyframes(scene, {s: [f"{s}/{i}.jpg" for i in range(3)] for s in "ab"}, "known")
    pairs = {(int(a[2]), int(b[2])) for a, b in rig_pairs(rigs)}
    assert pairs == {(i, j) for i in range(3) for j in range(3) if abs(i - j) <= 1}
    assert rigs_of_keyframes(scene, {"a": ["a/0.jpg"], "b": ["b/2.jpg"]}, "known") == []


def test_a_picture_without_a_pose_gets_it_from_its_partner():
    """In a reconstruction of another scale, with noise and one wild pose."""
    generator = np.random.default_rng(0)
    scene = scene_of(a=range(0, 2000, 100), b=range(0, 2000, 100))
    rig = scene.rigs["a"]
    a_from_b = rig.reference_from_cam("b")
    small = Pose(a_from_b.rotation, 0.3 * a_from_b.translation)
    poses = {}
    for i in range(20):
        sfm_from_a = Pose(Rotation.random(None, generator), generator.normal(0, 1, 3))
        poses |= {f"a/{i}.jpg": sfm_from_a, f"b/{i}.jpg": sfm_from_a * small}
    full = dict(poses)
    poses["b/3.jpg"] = Pose.identity()
    del poses["b/7.jpg"], poses["a/8.jpg"]
    found = poses_by_partners(poses, scene)
    assert set(found) == {"b/7.jpg", "a/8.jpg"}
    for name, pose in found.items():
        assert max(pose_error(pose, full[name])) < 1e-6
    fit = scale_from_rig(poses, rig, [[f"a/{i}.jpg", f"b/{i}.jpg"] for i in range(20)])
    assert fit is not None
    assert fit.scale == pytest.approx(1 / 0.3, rel=1e-6)
    assert scale_from_rig(poses, rig, [["a/0.jpg", "b/0.jpg"]]) is None


def test_a_rig_whose_places_are_one_or_the_wrong_way_round_shows():
    scene = scene_of(a=range(0, 500, 100), b=range(0, 500, 100))
    rig = scene.rigs["a"]
    a_from_b = rig.reference_from_cam("b")
    names = [[f"a/{i}.jpg", f"b/{i}.jpg"] for i in range(5)]
    poses = {name: pose for a, b in names for name, pose in ((a, Pose.identity()), (b, a_from_b))}
    one_place = replace(rig, rig_from_cam={"a": Pose.identity(), "b": Pose.identity()})
    fit = scale_from_rig(poses, one_place, names)
    assert fit is not None
    assert fit.scale is None
    assert fit.off_deg["b"] == pytest.approx(80.0)
    behind = replace(rig, rig_from_cam={"a": Pose.identity(), "b": Pose(a_from_b.rotation, -a_from_b.translation)})
    fit = scale_from_rig(poses, behind, names)
    assert fit is not None
    assert fit.scale == pytest.approx(1.0)
    assert fit.off_m["b"] == pytest.approx(2 * np.linalg.norm(a_from_b.translation))
