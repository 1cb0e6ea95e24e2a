"""The leak guard: ways in which a query shares frames with the map, each named, and honest queries, which pass."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.cli.main import main
from campose_core.evaluation.estimates import Estimates, FrameOutcome, write_estimates
from campose_core.evaluation.judge import Beside, judged
from campose_core.evaluation.leak import Training, find_leak
from campose_core.evaluation.table import tables
from campose_core.evaluation.views import Views, nearest_views, scene_views, small_copy
from campose_core.geometry import Pose
from campose_core.scene.alignment import Alignment
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory, write_tum

STEP_NS = 200_000_000
WALL = Image.fromarray(np.random.default_rng(0).integers(70, 190, (300, 900), dtype=np.uint8))


def pose_at(seconds: float, way: float = 0.0) -> Pose:
    """A walk of about a metre a second through a room; another `way` is another walk, up to a metre aside."""
    x, y = 3 * np.sin(0.33 * seconds) + way * np.sin(0.7 * seconds + 1), 2 * np.sin(0.41 * seconds + way)
    return Pose(Rotation.from_euler("z", 0.3 * seconds + way), [x, y, 1.2])


def image_at(pose: Pose) -> Image.Image:
    """What is seen there: a window of a large picture, coarse enough to be recognised when it is small."""
    x, y, _ = pose.translation
    left, top = 400 + 25 * x + 60 * pose.yaw(), 130 + 20 * y
    extent = (left, top, left + 16, top + 12)
    return WALL.transform((160, 120), Image.Transform.EXTENT, extent, Image.Resampling.BILINEAR)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory) -> Scene:
    """A scene of 40 s, mapped from five frames a second."""
    scene = Scene(
        tmp_path_factory.mktemp("leak") / "scene", "scene", {"walk": Camera.from_field_of_view(160, 120, 60.0)}
    )
    frames = []
    for i in range(200):
        frame = SceneFrame(f"walk/{i:06d}.jpg", "walk", i * STEP_NS, "walk", "", pose_at(0.2 * i))
        scene.frame_path(frame).parent.mkdir(parents=True, exist_ok=True)
        image_at(pose_at(0.2 * i)).save(scene.frame_path(frame), quality=90)
        frames.append(frame)
    scene = replace(scene, frames=tuple(frames), sources={"walk": {}})
    scene = replace(scene, alignment=Alignment.from_dict(
        {"method": "given", "scale": 1.0, "quat_xyzw": [0, 0, 0, 1], "translation": [0, 0, 0]}
    ))  # fmt: skip
    scene.save()
    return scene


def with_split(scene: Scene, split_of) -> Scene:
    return replace(scene, frames=tuple(replace(f, split=split_of(i)) for i, f in enumerate(scene.frames)))


def own_test_frames(scene: Scene):
    frames = scene.posed_frames("test")
    truth = Trajectory.from_poses([f.stamp_ns for f in frames], [f.map_from_cam for f in frames])
    beside = Beside.of_own_frames(scene, {f.stamp_ns: f for f in frames}, "train")
    perfect = Estimates("net", tuple(FrameOutcome(t, pose, "TRACKING") for t, pose in truth))
    return judged([perfect], truth, beside)


def write_query(folder, poses, images, first_ns=0):
    """A folder of images with stamps from `first_ns`, its truth, and estimates of 1 mm."""
    for i, image in enumerate(images):
        (folder / "query").mkdir(exist_ok=True)
        image.save(folder / "query" / f"{1_700_000_000_000_000_000 + first_ns + i * STEP_NS}.png")
    stamps = [1_700_000_000_000_000_000 + first_ns + i * STEP_NS for i in range(len(poses))]
    truth = Trajectory.from_poses(stamps, poses)
    write_tum(folder / "query.tum", truth)
    outcomes = (FrameOutcome(t, Pose(p.rotation, p.translation + 0.001), "TRACKING", 9.0) for t, p in truth)
    write_estimates(folder / "est.tum", Estimates("structure", tuple(outcomes)))
    return [str(folder / "est.tum"), str(folder / "query.tum"), "--query", str(folder / "query")]


def test_an_interleaved_split_is_named_and_a_contiguous_one_is_not(mapped):
    interleaved = own_test_frames(with_split(mapped, lambda i: ("train", "val", "test")[i % 3]))
    assert interleaved.leak.leaks
    assert "interleaved" in interleaved.leak.reasons[0]
    assert interleaved.leak.medians["time_s"] == pytest.approx(0.2)
    table = tables(interleaved.rows)
    assert "net (leak)" in table
    assert "LEAK: " in table
    contiguous = own_test_frames(with_split(mapped, lambda i: "test" if i % 50 > 40 else "train"))
    assert not contiguous.leak.leaks
    assert contiguous.leak.medians.keys() == {"time_s", "place_m", "place_deg", "view_grey"}
    assert "leak" not in tables(contiguous.rows).lower()


@pytest.mark.parametrize("scheme", ["another clock", "the same clock", "other frames of it"])
def test_a_query_cut_from_the_mapping_video_is_named(mapped, tmp_path, capsys, scheme):
    """On a clock that starts over, on the mapping's own, and of frames between those that were mapped."""
    offset_s = 0.1 if scheme == "other frames of it" else 0.0
    poses = [pose_at(12 + offset_s + 0.2 * i) for i in range(50)]
    truth = Trajectory.from_poses([(12 * 10**9 if "same" in scheme else 5) + i * STEP_NS for i in range(50)], poses)
    leak = find_leak(truth, Training.of(mapped.posed_frames()))
    assert leak.leaks
    assert "walk" in leak.reasons[0]
    assert leak.between == pytest.approx(50, abs=1)
    said = write_query(tmp_path, poses, [image_at(pose) for pose in poses])
    assert main(["evaluate", *said, "--scene", str(mapped.path), "--fail-under", "recall@5cm/5deg>=0.9"]) == 1
    captured = capsys.readouterr()
    assert "cut from it" in captured.err
    assert "structure (leak)" in captured.out


def path_of(
    start_s: float, frames: int, way: float = 0.0, first_ns: int = 5, turn: Rotation | None = None
) -> Trajectory:
    """A walk; turn: of the camera about its optical axis."""
    poses = [pose_at(start_s + 0.2 * i, way) for i in range(frames)]
    turned = [Pose(pose.rotation * (turn or Rotation.identity()), pose.translation) for pose in poses]
    return Trajectory.from_poses([first_ns + i * STEP_NS for i in range(frames)], turned)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_cut_whose_images_were_turned_is_named(mapped, degrees):
    truth = path_of(12, 50, turn=Rotation.from_euler("z", degrees, degrees=True))
    assert find_leak(truth, Training.of(mapped.posed_frames())).between == pytest.approx(50, abs=1)


def test_a_piece_of_the_mapping_video_in_another_walk_is_named(mapped):
    honest, cut = path_of(0, 100, way=0.9), path_of(20, 35)
    stamps = np.concatenate([honest.stamps_ns, honest.stamps_ns[-1] + STEP_NS + cut.stamps_ns])
    poses = [pose for path in (honest, cut) for _, pose in path]
    leak = find_leak(Trajectory.from_poses(stamps, poses), Training.of(mapped.posed_frames()))
    assert 15 <= leak.between <= 50
    assert "walk" in leak.reasons[0]


@pytest.mark.parametrize(("seconds", "aside_m", "leaks"), [(0.0, 0.3, True), (0.0, 3.0, False), (100.0, 0.3, False)])
def test_another_camera_of_the_mapping_drive_is_named_and_another_robot_is_not(mapped, seconds, aside_m, leaks):
    """By the date, which both have: at the same time as near as that, as far as another robot, or later."""
    date_ns = 1_700_000_000 * 10**9
    frames = [replace(frame, stamp_ns=date_ns + frame.stamp_ns) for frame in mapped.posed_frames()]
    other = Pose(Rotation.from_euler("y", 120, degrees=True), [0, aside_m, 0])
    poses = [pose_at(0.2 * i) * other for i in range(200)]
    truth = Trajectory.from_poses([date_ns + int(seconds * 1e9) + i * STEP_NS for i in range(200)], poses)
    assert find_leak(truth, Training.of(frames)).leaks == leaks


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.resize((320, 240)),
        lambda image: image.point(lambda grey: 255 * (grey / 255) ** 0.8),
        lambda image: image.point(lambda grey: 0.6 * grey + 70),
        lambda image: ImageOps.mirror(image.resize((640, 480))),
        lambda image: ImageOps.flip(ImageOps.mirror(image.resize((640, 480)))),
        lambda image: ImageOps.autocontrast(image),
    ],
    ids=["larger", "gamma", "greyer and brighter", "mirrored, larger", "upside down, larger", "contrast"],
)
def test_a_training_image_is_known_however_it_was_changed(change):
    walk = [image_at(pose_at(0.2 * i)) for i in range(100)]
    training = Views.of((i, small_copy(image)) for i, image in enumerate(walk))
    others = [image_at(pose_at(0.2 * i, way=0.9)) for i in range(30)]
    others[17] = change(walk[60])
    found, _, same = nearest_views(Views.of((i, small_copy(image)) for i, image in enumerate(others)), training, 30)
    assert np.flatnonzero(same).tolist() == [17]
    assert found[17] == 60


@pytest.mark.parametrize("size", [(640, 480), (752, 480), (1280, 720), (160, 120)])
def test_a_scene_s_own_image_is_one_with_its_copy(tmp_path, size):
    """Large JPEGs are read reduced: what they show must not change by that, in details of any size."""
    scene = Scene(tmp_path, "scene", {"walk": Camera.from_field_of_view(*size, 60.0)})
    frame = SceneFrame("walk/0.jpg", "walk", 0, "walk", "", pose_at(0))
    rng = np.random.default_rng(3)
    scales = [Image.fromarray(rng.integers(0, 255, (n * 3, n * 4), dtype=np.uint8)).resize(size) for n in (6, 20, 60)]
    image = np.mean([np.asarray(one, dtype=float) for one in scales], axis=0).astype(np.uint8)
    scene.frame_path(frame).parent.mkdir(parents=True)
    Image.fromarray(image).save(scene.frame_path(frame), quality=90)
    query = Views.of([(0, small_copy(image))])
    _, grey, same = nearest_views(query, scene_views(scene, [(0, frame)]), 1)
    assert same[0]
    assert grey[0] < 1.0


def test_one_duplicated_frame_is_named_and_fails_the_gate_unless_allowed(mapped, tmp_path, capsys):
    poses = [pose_at(0.2 * i, way=0.9) for i in range(60)]
    images = [image_at(pose) for pose in poses]
    images[33] = Image.open(mapped.frame_path(mapped.frames[120])).resize((320, 240))  # encoded again, and larger
    gate = ["--scene", str(mapped.path), "--fail-under", "recall@5cm/5deg>=0.9", "--json"]
    said = write_query(tmp_path, poses, images)
    assert main(["evaluate", *said, *gate]) == 1
    captured = capsys.readouterr()
    assert "walk/000120.jpg" in captured.err
    leak = json.loads(captured.out)["leak"]
    assert (leak["duplicated"], leak["between"], leak["leaks"]) == (1, 0, True)
    assert main(["evaluate", *said, *gate, "--allow-leak"]) == 0
    assert json.loads(capsys.readouterr().out)["leak"]["leaks"]  # marked all the same


def test_another_walk_does_not_leak(mapped, tmp_path, capsys):
    poses = [pose_at(0.2 * i, way=0.9) for i in range(60)]
    said = write_query(tmp_path, poses, [image_at(pose) for pose in poses])
    assert main(["evaluate", *said, "--scene", str(mapped.path), "--fail-under", "availability>=1"]) == 0
    assert "leak" not in capsys.readouterr().out.lower()
    # Nor one on the same way at another pace.
    slower = Trajectory.from_poses([i * STEP_NS for i in range(100)], [pose_at(3 + 0.16 * i) for i in range(100)])
    assert not find_leak(slower, Training.of(mapped.posed_frames())).leaks


def test_two_robots_that_stand_at_one_dock_do_not_leak_by_their_clocks(mapped):
    dock = Trajectory.from_poses([i * STEP_NS for i in range(20)], [pose_at(0)] * 20)
    assert not find_leak(dock, Training.of(mapped.posed_frames())).leaks
