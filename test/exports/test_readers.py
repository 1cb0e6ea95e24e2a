"""Every export is read so that its pictures agree with its poses and intrinsics, to a part of a pixel."""

import json

import numpy as np
import pytest
from lens_room import picture
from lens_room import walk as walk_in_room
from PIL import Image as PillowImage
from scipy.spatial.transform import Rotation
from written_exports import WRITERS, Shot, without

from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.capture.sources.video import VideoRecording
from campose_core.cli.main import main
from campose_core.errors import CamposeError, CaptureError
from campose_core.exports.export import Export, ExportedFrame, by_camera, shared
from campose_core.exports.table import EXPORTS, is_export, read_export
from campose_core.geometry import Pose, pose_error

# Square pixels, and the principal point where 7-Scenes and Cambridge assume it.
SIZE = 128, 96
CAMERA = Camera("PINHOLE", *SIZE, (100.0, 100.0, 63.5, 47.5))
BESIDE = Camera("PINHOLE", *SIZE, (100.0, 97.0, 66.5, 45.5))
START_NS = 1_700_000_000_000_000_000
ASSUMED = {"TUM RGB-D": None, "7-Scenes": None, "Cambridge Landmarks": CAMERA}  # forms that do not name a lens


def shots(camera: Camera, count: int = 3) -> list[Shot]:
    walked = walk_in_room(18)
    rows = np.linspace(0, 17, count).astype(int)
    return [
        Shot(picture(camera, walked.pose(row)), START_NS + int(walked.stamps_ns[row]), walked.pose(row)) for row in rows
    ]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    taken = {name: shots(CAMERA if name in ASSUMED else BESIDE) for name in WRITERS}
    return {name: (write(folder / name, taken[name], CAMERA if name in ASSUMED else BESIDE), taken[name])
            for name, write in WRITERS.items()}  # fmt: skip


def test_every_kind_is_written_here():
    assert [kind.program for kind in EXPORTS] == list(WRITERS)
    assert all(kind.form and kind.brings and kind.note for kind in EXPORTS)


def image_of(export: Export, frame: ExportedFrame) -> np.ndarray:
    if export.video is not None:
        return next(f.image for f in VideoRecording(export.video).numbered({frame.image}))
    with PillowImage.open(frame.image) as file:
        return np.asarray(file.convert("RGB"))


def grey_error(camera: Camera, map_from_cam: Pose, image: np.ndarray) -> float:
    """How far the room looks from there is from the picture: the part of its contrast that is not explained."""
    seen = picture(camera, map_from_cam).astype(float).mean(axis=-1)
    return float(np.std(seen - image.astype(float).mean(axis=-1)) / np.std(seen))


@pytest.mark.parametrize("name", WRITERS)
def test_the_pictures_agree_with_what_is_read(written, name):
    folder, taken = written[name]
    assert is_export(folder)
    export = read_export(folder)
    assert export.program == name
    assert len(export.frames) == len(taken) == export.posed
    # Another world that is as level, but for the first of these: a turn about z and a shift lie between.
    map_from_world = taken[0].map_from_cam * export.frames[0].world_from_cam.inverse()
    if export.level:
        assert map_from_world.rotation.apply([0.0, 0.0, 1.0]) == pytest.approx([0.0, 0.0, 1.0], abs=1e-6)
    for frame, shot in zip(export.frames, taken, strict=True):
        pose = map_from_world * frame.world_from_cam
        assert max(pose_error(pose, shot.map_from_cam)) < 1e-5
        camera, image = frame.camera or CAMERA, image_of(export, frame)
        if name in ("Stray Scanner", "7-Scenes"):  # the size of a video is known when it is opened; 525 is a guess
            camera = BESIDE if name == "Stray Scanner" else CAMERA
        as_read = grey_error(camera, pose, image)
        assert as_read < 0.35  # of a video and of JPEG a third of the finest grain is lost
        if shot is not taken[0]:
            continue
        # Half a pixel to either side of the principal point fits worse.
        (fx, fy), (cx, cy) = camera.focal, camera.centre
        beside = [Camera("PINHOLE", *SIZE, (fx, fy, cx + d, cy + d)) for d in (-0.5, 0.5)]
        assert as_read < min(grey_error(other, pose, image) for other in beside)


@pytest.mark.parametrize("name", WRITERS)
def test_stamps_and_intrinsics_come_with_the_images(written, name):
    folder, taken = written[name]
    recording = open_recording(folder)
    frames = list(recording.frames())
    assert [frame.image.shape for frame in frames] == [shot.image.shape for shot in taken]
    periods = np.diff([frame.stamp_ns for frame in frames])
    has_clock = name in ("Stray Scanner", "Record3D", "TUM RGB-D", "EuRoC (ASL)")
    if has_clock:
        assert periods == pytest.approx(np.diff([shot.stamp_ns for shot in taken]), abs=1000)
    assert (periods > 0).all()
    posed = recording.trajectory()
    assert list(posed.stamps_ns) == [frame.stamp_ns for frame in frames]
    if name not in ASSUMED:
        assert recording.calibrated
        assert recording.camera.focal == pytest.approx(BESIDE.focal)
        assert recording.camera.centre == pytest.approx(BESIDE.centre)
        assert (recording.camera.width, recording.camera.height) == SIZE


def test_images_come_in_the_order_of_their_numbers(tmp_path):
    folder = WRITERS["nerfstudio transforms.json"](tmp_path / "ns", shots(CAMERA), CAMERA)
    fields = json.loads((folder / "transforms.json").read_text())
    for frame, number in zip(fields["frames"], (10, 2, 1), strict=True):
        (folder / frame["file_path"]).rename(folder / f"images/{number}.png")
        frame["file_path"] = f"images/{number}.png"
    (folder / "transforms.json").write_text(json.dumps(fields))
    assert [frame.image.stem for frame in read_export(folder).frames] == ["1", "2", "10"]


def test_a_camera_that_focuses_is_one_and_another_lens_is_another():
    lenses = [Camera("PINHOLE", 640, 480, (f, f, 319.5, 239.5)) for f in (500.0, 505.0, 498.0, 800.0, 510.0, 802.0)]
    frames = [ExportedFrame(number, None, lens) for number, lens in enumerate(lenses)]
    groups = by_camera(frames)
    assert groups == [[0, 1, 2, 4], [3, 5]]
    assert shared([lenses[row] for row in groups[0]]).focal == (502.5, 502.5)
    assert by_camera([ExportedFrame(0), ExportedFrame(1)]) == [[0, 1]]


# Each form: what is taken away or spoilt, and what the one line says of it.
TOO_LONG = json.dumps(
    {
        "camera_angle_x": 1.0,
        "w": 32,
        "h": 24,
        "frames": [{"file_path": "a" * 300, "transform_matrix": np.eye(4).tolist()}],
    }
)
FAULTS = [
    ("Stray Scanner", "rgb.mp4", None, r"rgb\.mp4 is missing beside odometry\.csv: copy the whole"),
    ("Stray Scanner", "camera_matrix.csv", "1, 2, 3\n", r"camera_matrix\.csv: the camera matrix should be 9 finite"),
    ("Stray Scanner", "odometry.csv", "t, x\n1, 2\n", r"odometry\.csv: the first line should name the column times"),
    ("Stray Scanner", "odometry.csv", "timestamp, frame, x, y, z, qx, qy, qz, qw\n1.0, 0, 0, 0\n", r":2: has 4 of 9"),
    ("Stray Scanner", "odometry.csv", "timestamp, frame, x, y, z, qx, qy, qz, qw\n", "names no images: export it"),
    ("Stray Scanner", "odometry.csv", "timestamp, frame, x, y, z, qx, qy, qz, qw\n1,0,nan,0,0,0,0,0,1\n", "position"),
    ("Record3D", "metadata.json", '{"poses": [[0, 0,', r"metadata\.json: this is no JSON at line 1, or it was cut"),
    ("Record3D", "metadata.json", "{}", r"metadata\.json: the list 'poses' is missing"),
    ("Record3D", "metadata.json", '{"poses": [[0, 0, 0, 1, 0, 0, 0]]}', r"tells of 1 images, and .*3\.jpg is one more"),
    ("Record3D", "metadata.json", f'{{"poses": [], "fps": {"9" * 400}}}', r"'fps' should be 0\.001 to 1000"),
    ("Record3D", "metadata.json", '{"poses": [], "fps": 1e-308}', r"metadata\.json: 'fps' should be"),
    ("Polycam", "keyframes/images", None, None),
    ("nerfstudio transforms.json", "transforms.json", "[]", r"transforms\.json: expected an object of JSON"),
    ("nerfstudio transforms.json", "transforms.json", "{}", "the list 'frames' is missing: this is no nerf"),
    ("nerfstudio transforms.json", "images", None, r"its images are not here, such as .*put the file back"),
    ("nerfstudio transforms.json", "transforms.json", TOO_LONG, r"its images are not here, such as .*aaa\.png"),
    ("TUM RGB-D", "groundtruth.txt", "1.0 2.0\n", r"groundtruth\.txt:1: expected `stamp_s x y z qx qy qz qw`"),
    ("TUM RGB-D", "rgb.txt", "1.0 a b\n", r"rgb\.txt:1: expected `stamp file`"),
    ("EuRoC (ASL)", "mav0/cam0/sensor.yaml", "T_BS: 3\n", r"sensor\.yaml: T_BS, the camera on the body, is"),
    ("EuRoC (ASL)", "mav0/cam0/sensor.yaml", "a: [1", r"sensor\.yaml"),
    ("EuRoC (ASL)", "mav0/cam0/data.csv", "#t\n1.5,a.png\n", r"data\.csv:2: the time stamp '1\.5' should be whole"),
    ("EuRoC (ASL)", "mav0/state_groundtruth_estimate0/data.csv", "#\n1,0,0,0,0,0,0,2\n", r"data\.csv:2: not a pose"),
    ("7-Scenes", "TrainSplit.txt", "sequence9\n", r"TrainSplit\.txt: 'sequence9' is listed, .*unpack its zip"),
    ("7-Scenes", "seq-01/frame-000000.pose.txt", "2 0 0 0 0 2 0 0 0 0 2 0 0 0 0 1", "pose is no rotation"),
    ("12-Scenes", "info.txt", "m_colorWidth = 3\n", r"info\.txt: the line m_colorHeight is missing"),
    ("Cambridge Landmarks", "dataset_train.txt", "a\n", r"dataset_train\.txt: the first line should begin `Visual"),
    ("Cambridge Landmarks", "seq1", None, r"dataset_train\.txt: none of its 4 images is here: unpack the whole"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "text", "says"), FAULTS, ids=[f"{f[0]}-{n}" for n, f in enumerate(FAULTS)])
def test_a_damaged_export_is_refused_in_one_line_that_names_the_file(tmp_path, capsys, name, file, text, says):
    small = Camera("PINHOLE", 32, 24, (30.0, 30.0, 15.5, 11.5))
    dark = np.full((24, 32, 3), 90, np.uint8)
    taken = [Shot(dark, START_NS + n * 100_000_000, Pose(Rotation.identity(), [n, 0, 0])) for n in range(4)]
    folder = WRITERS[name](tmp_path / "export", taken, small)
    if text is None:
        without(folder, file)
    else:
        (folder / file).write_text(text)
    if says is None:  # nothing is left by which it is known
        assert not is_export(folder)
        return
    with pytest.raises(CaptureError, match=says) as refused:
        open_recording(folder)
    assert "\n" not in str(refused.value)
    assert main(["extract", str(folder), "--scene", str(tmp_path / "scene")]) == 1
    assert not (tmp_path / "scene").exists()
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize("name", WRITERS)
def test_what_macos_and_windows_leave_in_folders_is_no_part_of_an_export(tmp_path, name):
    """AppleDouble files are called as those beside them, after `._`: developer.apple.com, TN1150 and copyfile(3)."""
    small, dark = Camera("PINHOLE", 32, 24, (30.0, 30.0, 15.5, 11.5)), np.full((24, 32, 3), 90, np.uint8)
    taken = [Shot(dark, START_NS + n * 100_000_000, Pose(Rotation.identity(), [n, 0, 0])) for n in range(4)]
    folder = WRITERS[name](tmp_path / "export", taken, small)
    expected = [frame.image for frame in read_export(folder).frames]
    for inside in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        for file in [path for path in inside.iterdir() if path.is_file()]:
            (inside / f"._{file.name}").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
        for left in (".DS_Store", "Thumbs.db", "desktop.ini"):
            (inside / left).write_bytes(b"\0\0\0\1Bud1")
    assert [frame.image for frame in read_export(folder).frames] == expected


def test_a_scene_of_seven_scenes_whose_sequences_are_packed_says_to_unpack_them(tmp_path):
    """As it is downloaded: redkitchen.zip holds the lists and seq-01.zip, seq-02.zip ..."""
    (tmp_path / "TrainSplit.txt").write_text("sequence1\n")
    (tmp_path / "seq-01.zip").write_bytes(b"PK")
    with pytest.raises(CaptureError, match=r"TrainSplit.txt: 'sequence1' is listed, .*unpack its zip file there"):
        open_recording(tmp_path)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [("reconstruction.nvm", "\n4\n", f"\n{'9' * 400}\n"), ("dataset_train.txt", "seq1/", "/")],
    ids=["a count of any length", "a name of elsewhere"],
)
def test_lists_of_cambridge_that_say_odd_things(tmp_path, file, old, new):
    dark = np.full((24, 32, 3), 90, np.uint8)
    taken = [Shot(dark, START_NS + n * 100_000_000, Pose(Rotation.identity(), [n, 0, 0])) for n in range(4)]
    folder = WRITERS["Cambridge Landmarks"](tmp_path / "export", taken, Camera("PINHOLE", 32, 24, (30, 30, 15.5, 11.5)))
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    assert len(read_export(folder).frames) == 4


@pytest.mark.parametrize("name", WRITERS)
def test_no_cut_or_garbled_table_escapes(tmp_path, name):
    small = Camera("PINHOLE", 32, 24, (30.0, 30.0, 15.5, 11.5))
    dark = np.full((24, 32, 3), 90, np.uint8)
    taken = [Shot(dark, START_NS + n * 100_000_000, Pose(Rotation.identity(), [n, 0, 0])) for n in range(4)]
    folder = WRITERS[name](tmp_path / "export", taken, small)
    random = np.random.default_rng(0)
    tables = [f for f in sorted(folder.rglob("*")) if f.is_file() and f.suffix not in (".png", ".jpg", ".mp4")]
    for table in tables[:4]:
        whole = table.read_bytes()
        for _ in range(25):
            garbled = bytearray(whole[: random.integers(len(whole) + 1)])
            for at in random.integers(0, max(1, len(garbled)), 3)[: len(garbled)]:
                garbled[at] = random.choice(bytearray(b'\0\xff-.,e9[{\n:"/ '))
            table.write_bytes(garbled)
            if is_export(folder):
                said = ""
                try:
                    read_export(folder)
                except CamposeError as refusal:
                    said = str(refusal)
                assert "\n" not in said
        table.write_bytes(whole)
    assert read_export(folder).posed == 4


def test_the_first_versions_of_record3d_have_no_up_and_its_selfie_camera_no_poses(tmp_path):
    """As the app's author says: github.com/marek-simonik/record3d, issues 27 and 63; initPose as clip-fields has it."""
    taken = shots(BESIDE)
    folder = WRITERS["Record3D"](tmp_path / "scan", taken, BESIDE)
    fields = json.loads((folder / "metadata.json").read_text())
    worlds = [Pose.from_quat_xyzw(pose[:4], pose[4:]) for pose in fields["poses"]]

    def read(start: Pose, poses: list[Pose]) -> Export:
        lists = [[*map(float, pose.rotation.as_quat()), *map(float, pose.translation)] for pose in (start, *poses)]
        (folder / "metadata.json").write_text(json.dumps(fields | {"initPose": lists[0], "poses": lists[1:]}))
        return read_export(folder)

    zero = Pose.identity()
    from_first = [worlds[0].inverse() * pose for pose in worlds]
    from_first[0] = zero
    assert not read(zero, from_first).level
    whole = read(worlds[0], from_first)
    assert whole.level
    for frame, shot in zip(whole.frames, taken, strict=True):
        assert max(pose_error(frame.world_from_cam, shot.map_from_cam)) < 1e-5
    assert read(zero, [zero] * len(worlds)).posed == 0


def test_missing_images_are_counted_and_poses_that_were_lost_are_none(tmp_path):
    taken = shots(Camera("PINHOLE", 32, 24, (30.0, 30.0, 15.5, 11.5)), 4)
    folder = WRITERS["7-Scenes"](tmp_path / "chess", taken, CAMERA)
    (folder / "seq-01" / "frame-000001.pose.txt").write_text("-1.#INF " * 16)
    (folder / "seq-02" / "frame-000000.pose.txt").write_text("inf " * 16)
    (folder / "seq-02" / "frame-000001.pose.txt").unlink()
    assert read_export(folder).posed == 1
    assert len(read_export(folder / "TestSplit.txt").frames) == 2
    assert len(read_export(folder / "seq-01").frames) == 2
    folder = WRITERS["TUM RGB-D"](tmp_path / "rgbd_dataset_freiburg2_desk", taken, CAMERA)
    next((folder / "rgb").iterdir()).unlink()
    recording = open_recording(folder)
    assert len(list(recording.frames())) == 3
    assert recording.dropped == {"undecodable image": 1}
    assert recording.camera.centre == (325.1, 249.7)


def test_poses_of_colmap_or_scaled_ones_are_not_taken_for_metres(tmp_path):
    folder = WRITERS["nerfstudio transforms.json"](tmp_path / "ns", shots(CAMERA), CAMERA)
    file = folder / "transforms.json"
    fields = json.loads(file.read_text())
    assert read_export(folder).metric
    assert read_export(file).metric
    for frame in fields["frames"]:
        frame["colmap_im_id"] = 1
    file.write_text(json.dumps(fields))
    assert not read_export(folder).metric
    file.write_text(json.dumps({**fields, "frames": [{**f, "colmap_im_id": 1} for f in fields["frames"]]}))
    assert not read_export(folder).level
    # nerfstudio/process_data/{colmap,metashape}_utils.py write it, what phones tracked has none
    plain = [{key: value for key, value in frame.items() if key != "colmap_im_id"} for frame in fields["frames"]]
    file.write_text(json.dumps({**fields, "frames": plain}))
    assert read_export(folder).metric
    assert not read_export(folder).says_unit
    file.write_text(json.dumps({**fields, "frames": plain, "applied_transform": np.eye(4)[:3].tolist()}))
    assert not read_export(folder).metric


@pytest.mark.parametrize("written_as", ["{}", "/home/bob/scan/{}", "C:\\Users\\bob\\scan\\{}", "./{}"])
def test_images_named_by_another_machine_are_those_beside_the_file_and_tell_their_size(tmp_path, written_as):
    folder = WRITERS["nerfstudio transforms.json"](tmp_path / "ns", shots(CAMERA), CAMERA)
    fields = json.loads((folder / "transforms.json").read_text())
    expected = read_export(folder)
    for frame in fields["frames"]:
        path = frame["file_path"].removeprefix("./")
        frame["file_path"] = written_as.format(path.replace("/", "\\") if "\\" in written_as else path)
    for block in (fields, *fields["frames"]):
        block.pop("w", None), block.pop("h", None)
    (folder / "transforms.json").rename(folder / "transforms_train.json")
    (folder / "transforms_train.json").write_text(json.dumps(fields))
    found = read_export(folder / "transforms_train.json")
    assert [frame.image.resolve() for frame in found.frames] == [frame.image.resolve() for frame in expected.frames]
    assert [frame.camera for frame in found.frames] == [frame.camera for frame in expected.frames]


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_names_without_an_ending_are_of_the_images_that_are_there(tmp_path, ending):
    """The sets of NeRF leave it out; github.com/bmild/nerf: load_blender.py adds .png."""
    folder = WRITERS["nerfstudio transforms.json"](tmp_path / "ns", shots(CAMERA), CAMERA)
    fields = json.loads((folder / "transforms.json").read_text())
    for frame in fields["frames"]:
        file = folder / frame["file_path"]
        file.rename(file.with_suffix(ending))
        frame["file_path"] = frame["file_path"].removesuffix(".png")
    (folder / "transforms.json").write_text(json.dumps(fields))
    assert {frame.image.suffix for frame in read_export(folder).frames} == {ending}


def test_a_split_of_twelve_scenes_and_a_list_of_cambridge_are_for_queries(tmp_path):
    taken = shots(CAMERA)
    folder = WRITERS["12-Scenes"](tmp_path / "apt1_kitchen", taken, CAMERA)
    (folder / "split.txt").write_text(
        "sequence0 [frames=2] [start=0 ; end=1]\nsequence1 [frames=1] [start=2 ; end=2]\n"
    )
    assert [frame.image.name for frame in read_export(folder).frames] == ["frame-000002.color.jpg"]
    assert len(read_export(folder / "split.txt").frames) == 2
    folder = WRITERS["Cambridge Landmarks"](tmp_path / "ShopFacade", taken, CAMERA)
    assert [frame.image.name for frame in read_export(folder / "dataset_test.txt").frames] == ["frame00003.png"]


def test_a_folder_that_only_resembles_an_export_is_none(tmp_path):
    for name in ("images", "cameras", "data", "keyframes"):
        (tmp_path / name).mkdir()
    for name in ("rgb.txt", "info.txt", "dataset_train.txt", "odometry.csv", "metadata.json", "split.txt"):
        (tmp_path / name).write_text("0 0 0\n")
    assert not is_export(tmp_path)
    assert not any(is_export(tmp_path / name) for name in ("split.txt", "dataset_train.txt", "keyframes", "nothing"))


def test_tum_vi_has_its_truth_in_mocap0_and_a_folder_without_any_says_so(tmp_path, capsys):
    taken = shots(BESIDE)
    mav0 = WRITERS["EuRoC (ASL)"](tmp_path / "room1", taken, BESIDE) / "mav0"
    rows = (mav0 / "state_groundtruth_estimate0" / "data.csv").read_text().splitlines()
    without(mav0, "state_groundtruth_estimate0/data.csv")
    assert read_export(mav0.parent).posed == 0
    assert "has neither state_groundtruth_estimate0 nor mocap0: images without poses" in capsys.readouterr().err
    (mav0 / "mocap0").mkdir()
    (mav0 / "mocap0" / "data.csv").write_text("".join(",".join(row.split(",")[:8]) + "\n" for row in rows))
    export = read_export(mav0.parent)
    assert export.posed == len(taken)
    for frame, shot in zip(export.frames, taken, strict=True):
        assert max(pose_error(frame.world_from_cam, shot.map_from_cam)) < 1e-5
