"""`campose align` by what recordings hold: the order of trust, faults of each source, and two that contradict."""

import json

import numpy as np
import pytest
from bag_messages import TYPES, static
from PIL import Image
from recorded_walks import Walk, mapped_scene, path_errors
from scipy.spatial.transform import Rotation
from walks import reconstructed, similarity

from campose_core.alignment.evidence import Level
from campose_core.alignment.request import AlignRequest
from campose_core.alignment.sources.base import Borrowed, MappedScene
from campose_core.alignment.sources.gps import EXIF, Gps
from campose_core.capture.exif_gps import read_exif_gps
from campose_core.cli.main import main
from campose_core.geometry import Pose
from campose_core.map_scale import UNKNOWN
from campose_core.scene.scene import Scene
from campose_core.simulation.drive import drifting_odometry
from campose_core.trajectory import Trajectory, write_tum


def align(capsys, scene: Scene, *options: str) -> tuple[int, Scene, str]:
    """Exit code, the scene as it is then, and what was said."""
    code = main(["align", str(scene.path), *options])
    return code, Scene.open(scene.path), capsys.readouterr().err


@pytest.mark.parametrize("seed", range(3))
def test_drifting_odometry_alone_is_enough(tmp_path, capsys, seed):
    walk = Walk(tmp_path, seed).mounted().odometry(0.02)
    code, scene, said = align(capsys, walk.scene())
    assert code == 0
    assert scene.alignment.method == "odometry"
    assert "WARNING" not in said
    off = np.array(list(path_errors(scene, walk.truth)))
    assert np.sqrt(np.mean(off**2)) < 0.1
    assert not scene.alignment.checks
    again = align(capsys, scene)
    assert "done already" in again[2]


def test_the_most_trusted_source_is_applied_and_the_others_are_compared(tmp_path, capsys):
    walk = Walk(tmp_path, 1).mounted().odometry().imu()
    shifted = Pose(Rotation.from_euler("z", 1.0), np.array([20.0, 5.0, 0.0]))
    amcl = Trajectory.from_poses(walk.base.stamps_ns[::6], [shifted * pose for _, pose in list(walk.base)[::6]])
    goal = Trajectory.from_poses(walk.base.stamps_ns[:1], [Pose.identity()])
    walk.poses("/amcl_pose", amcl, TYPES[2]).poses("/goal_pose", goal)
    code, scene, said = align(capsys, walk.scene(), "--json")
    assert code == 0
    assert scene.alignment.method == "reference poses"
    assert max(path_errors(scene, walk.truth, shifted.inverse())) < 0.1
    checks = {check.method: check for check in scene.alignment.checks}
    assert checks.keys() == {"odometry /odom", "gravity /imu"}
    assert all(check.agree for check in checks.values())
    assert checks["odometry /odom"].scale_ratio == pytest.approx(1.0, abs=0.03)
    assert checks["odometry /odom"].translation_m is None  # its frame is another one
    assert checks["gravity /imu"].tilt_deg < 1.0
    assert "poses /amcl_pose  applied" in said
    assert "WARNING" not in said


def test_tf_with_a_gap_is_a_reference_where_it_is_there(tmp_path, capsys):
    walk = Walk(tmp_path, 2).mounted()
    kept = (walk.base.stamps_ns < walk.base.stamps_ns[60]) | (walk.base.stamps_ns > walk.base.stamps_ns[120])
    map_from_odom = Pose(Rotation.from_euler("z", -0.5), np.array([1.0, 2.0, 0.0]))
    fixed = Trajectory.from_poses(walk.base.stamps_ns, [map_from_odom] * len(walk.base), "map", "odom")
    walk.tf("map", "odom", fixed).tf("odom", "base_link", walk.base.select(kept))
    code, scene, said = align(capsys, walk.scene())
    assert code == 0
    assert "61 of 200 frames lie in a gap of /tf" in said
    assert max(path_errors(scene, walk.truth, map_from_odom.inverse())) < 0.05
    assert scene.alignment.residual.frames == 139
    # Odometry is in TF too, and is compared.
    assert [check.method for check in scene.alignment.checks] == ["odometry tf odom"]


def test_a_map_that_is_fixed_to_odometrys_frame_is_odometry(tmp_path, capsys):
    """It drifts as odometry does, and is trusted no more."""
    walk = Walk(tmp_path, 2).mounted()
    walk.tf("odom", "base_link", drifting_odometry(walk.base, 0.02, 2))
    fixed = static(walk.make, ("map", "odom", Pose.identity()))
    walk.entries.append(("/tf_static", int(walk.base.stamps_ns[0]), fixed))
    code, scene, said = align(capsys, walk.scene())
    assert code == 0
    assert scene.alignment.method == "odometry"
    assert not scene.alignment.checks
    for asked in ("tf", "tf:map", "tf:odom"):
        code, _, said = align(capsys, scene, "--from", asked)
        assert code == 1
        assert f"hold no {asked.replace(':', ' ')} (" in said


def test_gps_takes_its_level_from_gravity_and_says_where_on_earth_it_is(tmp_path, capsys):
    walk = Walk(tmp_path, 3, speed=3.0).mounted().gps().imu()
    code, scene, _ = align(capsys, walk.scene(), "--from", "gps")
    assert code == 0
    origin = scene.alignment.origin
    assert origin["latitude_deg"] == pytest.approx(50.0, abs=1e-3)
    at_origin = np.array([(origin["longitude_deg"] - 8) * 71696, (origin["latitude_deg"] - 50) * 111229, 0])
    at_origin[2] = origin["altitude_m"] - 150
    assert np.median(list(path_errors(scene, walk.truth, Pose(Rotation.identity(), at_origin)))) < 0.3
    assert json.loads(json.dumps(scene.alignment.to_dict()))["origin"] == origin


def test_two_sources_that_contradict_each_other_are_loud(tmp_path, capsys):
    walk = Walk(tmp_path, 1).mounted().odometry(0.005).odometry(0.005, "/wheels", stretched=1.3)
    code, scene, said = align(capsys, walk.scene())
    assert code == 0
    first, second = sorted(("odometry /odom", "odometry /wheels"), key=lambda name: name in said.split("applied")[0])
    assert "WARNING" in said
    assert f"align: WARNING: {second} and {first} disagree: scale by" in said
    assert [check.agree for check in scene.alignment.checks] == [False]

    write_tum(tmp_path / "reference.tum", walk.truth)
    before = (scene.path / "scene.yaml").read_bytes()
    reference = ("--reference", str(tmp_path / "reference.tum"))
    code, _, said = align(capsys, scene, *reference, "--from", "odometry:/wheels")
    assert code == 1
    assert "reference reference.tum and odometry /wheels were both asked for, and contradict" in said
    assert "scale by +30." in said
    assert (scene.path / "scene.yaml").read_bytes() == before
    code, scene, said = align(capsys, scene, *reference, "--from", "odometry:/odom")
    assert code == 0
    assert max(path_errors(scene, walk.truth)) < 0.03


def test_one_topic_that_is_no_use_does_not_hide_another_of_its_kind(tmp_path, capsys):
    walk = Walk(tmp_path, 2).mounted()
    away = Trajectory(walk.base.stamps_ns + 10**15, walk.base.positions, walk.base.rotations)
    walk.poses("/amcl_pose", walk.base.select(np.arange(0, 200, 4)), TYPES[2]).poses("/elsewhere", away)
    code, scene, said = align(capsys, walk.scene())
    assert code == 0
    assert "not used: poses: " in said
    assert "/elsewhere covers" in said
    assert max(path_errors(scene, walk.truth)) < 0.05
    code, _, said = align(capsys, scene, "--from", "poses")
    assert code == 1
    assert "/elsewhere covers" in said
    assert align(capsys, scene, "--from", "poses:/amcl_pose")[0] == 0


def test_odometry_in_another_time_base_names_both_intervals(tmp_path, capsys):
    walk = Walk(tmp_path, 1).mounted().odometry(late_ns=-1_600_000_000_000_000_000)
    code, scene, said = align(capsys, walk.scene())
    assert code == 0
    assert "/odom covers 100000000.000 .. 100000039.800 s, the frames 1700000000.000 .. 1700000039.800 s" in said
    assert "same clock" in said
    assert scene.scale == UNKNOWN
    code, _, said = align(capsys, scene, "--from", "odometry")
    assert code == 1
    assert "no time in common" in said


def test_without_the_mounting_odometry_is_not_guessed(tmp_path, capsys):
    code, scene, said = align(capsys, Walk(tmp_path, 1).odometry().scene())
    assert code == 0
    assert scene.scale == UNKNOWN
    assert "not used: odometry" in said
    assert "no static transform leads from base_link (/odom) to camera_optical: record /tf_static" in said


def test_a_recording_that_tells_nothing_says_what_would_help(tmp_path, capsys):
    """Its level is gravity's all the same."""
    walk = Walk(tmp_path, 1).mounted().imu()
    code, scene, said = align(capsys, walk.scene())
    assert code == 0
    assert scene.scale == UNKNOWN
    assert scene.alignment.method == "a unit of its own, level by gravity /imu"
    up = scene.alignment.map_from_sfm.rotation * walk.map_from_sfm.rotation.inv()
    assert np.degrees(np.arccos(up.as_matrix()[2, 2])) < 1.0
    assert "scale unknown: nothing gives it" in said
    assert "--reference REF.tum` (or --points, --markers, --distance) puts it right without mapping anew" in said
    code, _, said = align(capsys, scene, "--from", "gps")
    assert "hold no gps (NavSatFix, or EXIF of photos)" in said
    code, _, said = align(capsys, scene, "--from", "odometry:/wheels")
    assert "hold no odometry /wheels" in said


def test_a_distance_is_levelled_by_gravity(tmp_path, capsys):
    """Whatever the images' own up: here the camera's roll is nonsense."""
    walk = Walk(tmp_path, 4).mounted().imu()
    scene = walk.scene()
    metres = float(np.linalg.norm(walk.truth.positions[0] - walk.truth.positions[30]))
    names = [scene.frames[i].name for i in (0, 30)]
    code, scene, _ = align(capsys, scene, "--distance", *names, str(metres), "--camera-height", "0.6")
    assert code == 0
    assert scene.alignment.method == "known distance, level by gravity /imu"
    heights = np.array([frame.map_from_cam.translation[2] for frame in scene.frames])
    assert np.abs(heights - 0.6).max() < 0.1
    assert scene.alignment.map_from_sfm.scale == pytest.approx(walk.map_from_sfm.scale, rel=0.01)


def test_gravity_that_contradicts_odometry_is_a_warning(tmp_path, capsys):
    """On a ramp: the wheels do not know that it climbs."""
    walk = Walk(tmp_path, 5).mounted().odometry(0.0).imu(map_up=(0.0, np.sin(0.2), np.cos(0.2)))
    code, _, said = align(capsys, walk.scene())
    assert code == 0
    assert "WARNING: odometry /odom and gravity /imu disagree: level by 11 deg" in said


def test_gravity_that_turns_with_the_robot_is_not_used(tmp_path, capsys):
    walk = Walk(tmp_path, 5).mounted().odometry(0.0)
    turned = Rotation.from_euler("x", 20, degrees=True)
    walk.base = Trajectory(walk.base.stamps_ns, walk.base.positions, walk.base.rotations * turned)
    code, scene, said = align(capsys, walk.imu().scene())
    assert code == 0
    assert "not used: gravity: the IMU's acceleration over a second differs from up by 20 deg" in said
    assert not scene.alignment.checks


def test_slip_and_gaps_of_odometry_are_told(tmp_path, capsys):
    walk = Walk(tmp_path, 7, seconds=60.0).mounted().odometry(0.005)
    walk.entries = [e for e in walk.entries if e[0] != "/odom" or not 10e9 < e[1] - walk.base.stamps_ns[0] < 14e9]
    for topic, stamp, message in walk.entries:
        if topic == "/odom" and stamp - walk.base.stamps_ns[0] > 30e9:
            message.pose.pose.position.x += 1.0 * min((stamp - walk.base.stamps_ns[0]) / 1e9 - 30, 2.0)
    code, scene, said = align(capsys, walk.scene())
    assert code == 0
    assert "odometry /odom: a gap of 4.0 s, 10.0 s after its beginning" in said
    assert "stretches disagree with the images (slip?)" in said
    assert np.median(list(path_errors(scene, walk.truth))) < 0.06


def test_a_bag_that_is_gone_is_named(tmp_path, capsys):
    scene = Walk(tmp_path, 1).mounted().odometry().scene()
    (tmp_path / "walk.bag").rename(tmp_path / "elsewhere.bag")
    code, scene, said = align(capsys, scene)
    assert code == 0
    assert scene.scale == UNKNOWN
    assert "walk.bag of walk is not there any more" in said


def rational(value: float) -> tuple[float, float, float]:
    minutes, seconds = divmod(3600 * (value % 1), 60)
    return float(int(value)), minutes, round(seconds, 5)


def test_photos_know_where_they_were_taken(tmp_path, capsys):
    walk = Walk(tmp_path, 6, speed=15.0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, (_, pose) in enumerate(walk.truth):
        picture = Image.new("RGB", (64, 48))
        exif = picture.getexif()
        if i % 10:
            exif[0x8825] = {
                1: "S", 2: rational(33.0 - pose.translation[1] / 110920.0),
                3: "W", 4: rational(70.0 - pose.translation[0] / 93450.0), 5: b"\x00", 6: 500.0, 0x1F: 3.0,
            }  # fmt: skip
        picture.save(folder / f"photo{i}.jpg", exif=exif)
    fixes = read_exif_gps(folder)
    assert len(fixes) == 180
    assert fixes.latitude_deg.max() < -30
    assert fixes.longitude_deg.max() < -60
    assert set(fixes.sigma_m) == {3.0}
    assert fixes.stamps_ns[0] == 100_000_000

    stamped = Trajectory(np.arange(200) * 100_000_000, walk.truth.positions, walk.truth.rotations)
    sfm = reconstructed(stamped, similarity(6), 6)
    scene = mapped_scene(tmp_path / "scene", sfm, {"kind": "images", "path": str(folder)})
    code, scene, said = align(capsys, scene)
    assert code == 0
    assert scene.scale == UNKNOWN
    assert "nothing tells which way is up" in said
    up = similarity(6).rotation.inv().apply([0.0, 0.0, 1.0])
    found = Gps(MappedScene(scene, AlignRequest())).evidence(EXIF, Borrowed(Level("truth", up, 0.0)))
    assert found.name == "gps exif"
    assert found.scale == pytest.approx(similarity(6).scale, rel=0.01)
    turned = found.alignment.map_from_sfm.rotation * similarity(6).rotation.inv()
    assert np.degrees(turned.magnitude()) < 0.5
