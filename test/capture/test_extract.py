"""Recordings into a scene: what is written, what is kept, and what a kill leaves."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from PIL import Image as PillowImage
from recordings import START_NS, TOPIC, Messages, image_entries, jpeg, picture, write_bag

from campose_core.camera import Camera
from campose_core.capture.camera_file import read_camera_file
from campose_core.capture.extract import extract
from campose_core.cli.main import main
from campose_core.errors import CaptureError, GeometryError, UsageError
from campose_core.scene.scene import Scene


def new_scene(tmp_path):
    return Scene.open_or_create(tmp_path / "scene")


def pictures(folder, count=4, **options):
    folder.mkdir(parents=True)
    for i in range(count):
        (folder / f"{i}.jpg").write_bytes(jpeg(picture(i), **options))
    return folder


def files(folder):
    """Every file below a folder with its content; hidden leftovers included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_bag_becomes_frames_rows_and_a_camera(tmp_path):
    info = Messages().camera_info(START_NS, distortion_model="")
    info.d[:] = 0
    entries = [*image_entries(12), ("/camera/camera_info", START_NS, info)]
    scene = extract(new_scene(tmp_path), [write_bag(tmp_path / "walk", entries)], fps=5.0)
    assert scene == Scene.open(scene.path)
    assert [frame.name for frame in scene.frames] == [f"walk/{i:06d}.jpg" for i in range(0, 12, 2)]
    assert [frame.stamp_ns for frame in scene.frames] == [START_NS + i * 100_000_000 for i in range(0, 12, 2)]
    assert {(frame.source, frame.camera, frame.split, frame.map_from_cam) for frame in scene.frames} == {
        ("walk", "walk", "", None)
    }
    for frame in scene.frames:
        with PillowImage.open(scene.frame_path(frame)) as image:
            index = int(frame.name[-10:-4])
            assert image.format == "JPEG"
            assert np.abs(np.asarray(image).astype(int) - picture(index)).mean() < 5
    assert scene.cameras == {"walk": Camera("PINHOLE", 64, 48, (50.0, 50.0, 31.5, 23.5))}
    assert scene.sources["walk"] == {
        "kind": "bag", "path": str(tmp_path / "walk"), "topic": TOPIC, "fps": 5.0, "frames": 6, "dropped": {},
        "calibrated": True,
    }  # fmt: skip


def test_jpeg_files_of_the_recording_are_kept_byte_for_byte(tmp_path):
    scene = extract(new_scene(tmp_path), [pictures(tmp_path / "desk")])
    assert [scene.frame_path(frame).read_bytes() for frame in scene.frames] == [jpeg(picture(i)) for i in range(4)]
    camera = scene.cameras["desk"]
    assert camera == Camera.from_field_of_view(64, 48, 60.0)  # nothing is known: a start for the mapping
    assert scene.sources["desk"]["calibrated"] is False


def test_sources_get_names_of_their_own_and_keep_them(tmp_path):
    first, second = pictures(tmp_path / "a" / "desk", 2), pictures(tmp_path / "b" / "desk", 3)
    odd = pictures(tmp_path / "my, video é", 1)
    scene = extract(new_scene(tmp_path), [first, second, odd])
    assert {name: source["frames"] for name, source in scene.sources.items()} == {
        "desk": 2, "desk_2": 3, "my__video_é": 1,
    }  # fmt: skip
    assert scene == Scene.open(scene.path)
    before = files(scene.path)
    assert extract(Scene.open(scene.path), [second]) == scene
    assert extract(Scene.open(scene.path), [odd, first]) == scene
    assert files(scene.path) == before
    with pytest.raises(UsageError, match="named twice"):
        extract(scene, [first, tmp_path / "b" / ".." / "a" / "desk"])


def test_a_folder_keeps_what_follows_a_point_in_its_name_and_a_bag_does_not(tmp_path):
    walks = [pictures(tmp_path / name, 1) for name in ("walk_2026.11.28", "walk_2026.11.29")]
    bag = write_bag(tmp_path / "drive.bag", image_entries(1))
    assert list(extract(new_scene(tmp_path), [*walks, bag]).sources) == ["walk_2026.11.28", "walk_2026.11.29", "drive"]


def test_a_second_run_does_nothing_and_changed_options_or_files_redo_it(tmp_path):
    folder = pictures(tmp_path / "desk", 6)
    other = pictures(tmp_path / "hall", 2)
    scene = extract(new_scene(tmp_path), [folder, other])
    (scene.frames_dir / "desk" / "000000.jpg").write_bytes(b"mark")  # proves that nobody writes it again
    scene = extract(Scene.open(scene.path), [folder])
    assert (scene.frames_dir / "desk" / "000000.jpg").read_bytes() == b"mark"

    scene = extract(scene, [folder], fps=5.0)
    assert [f.name for f in scene.frames if f.source == "desk"] == [f"desk/{i:06d}.jpg" for i in (0, 2, 4)]
    assert sorted(path.name for path in (scene.frames_dir / "desk").iterdir()) == [f"{i:06d}.jpg" for i in (0, 2, 4)]
    assert len([f for f in scene.frames if f.source == "hall"]) == 2

    given = Camera("PINHOLE", 64, 48, (60.0, 60.0, 32.0, 24.0))
    scene = extract(scene, [folder], camera=given)
    assert scene.cameras["desk"] == given
    assert scene.sources["desk"]["calibrated"] is True
    assert scene.cameras["hall"] != given

    (folder / "6.jpg").write_bytes(jpeg(picture(6)))
    scene = extract(scene, [folder], camera=given)
    assert scene.sources["desk"]["frames"] == 7
    assert Scene.open(scene.path) == scene


def test_the_steps_after_an_extraction_count_as_undone_when_it_changes(tmp_path):
    folder = pictures(tmp_path / "desk")
    scene = extract(new_scene(tmp_path), [folder]).with_step("map", {})
    assert scene.is_done("map", {})
    assert extract(scene, [folder]).is_done("map", {})
    assert not extract(scene, [folder], fps=5.0).is_done("map", {})


def test_a_known_camera_is_scaled_to_pictures_of_another_resolution_only(tmp_path, capsys):
    folder = pictures(tmp_path / "desk", 1)
    double = Camera("PINHOLE", 128, 96, (100.0, 100.0, 63.5, 47.5))
    scene = extract(new_scene(tmp_path), [folder], camera=double)
    assert scene.cameras["desk"] == double.resized(64, 48)
    assert "the camera given is for 128x96 pixels, the images of desk are 64x48: scaled" in capsys.readouterr().err
    with pytest.raises(GeometryError, match=r"48x64 pixels, the images of desk are 64x48: give the camera .* upright"):
        extract(scene, [folder], camera=Camera("PINHOLE", 48, 64, (50.0, 50.0, 24.0, 32.0)))
    assert Scene.open(scene.path) == scene


def test_recordings_that_cannot_be_extracted_leave_the_scene_as_it_was(tmp_path):
    good = pictures(tmp_path / "good")
    wider = Messages().image(START_NS + 10**9, picture(9, width=80))
    mixed = write_bag(tmp_path / "mixed", [*image_entries(4), (TOPIC, START_NS + 10**9, wider)])
    empty = write_bag(tmp_path / "empty", [("/camera_info", START_NS, Messages().camera_info(START_NS))])
    scene = extract(new_scene(tmp_path), [good])
    before = files(scene.path)
    with pytest.raises(CaptureError, match=r"mixed: frame 000004 is 80x48, those before are 64x48: .* split the rec"):
        extract(scene, [mixed])
    with pytest.raises(CaptureError, match="no image topic"):
        extract(scene, [empty])
    with pytest.raises(CaptureError, match="no such file or folder"):
        extract(scene, [tmp_path / "missing.mp4"])
    for fps in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="--fps must be positive"):
            extract(scene, [good], fps=fps)
    assert files(scene.path) == before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"width": 640, "height": 480, "fx": 525, "fy": 524, "cx": 3, "cy": 4}', ("PINHOLE", (525, 524, 3, 4))),
        ("{width: 640, height: 480, model: SIMPLE_RADIAL, f: 5, cx: 1, cy: 2, k1: 3}", ("SIMPLE_RADIAL", (5, 1, 2, 3))),
        ("{width: 640, height: 480, model: PINHOLE, params: [1, 2, 3, 4]}", ("PINHOLE", (1, 2, 3, 4))),
    ],
)  # fmt: skip
def test_camera_files_are_read(tmp_path, text, expected):
    (tmp_path / "camera").write_text(text)
    assert read_camera_file(tmp_path / "camera") == Camera(expected[0], 640, 480, expected[1])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{width: 640, height: 480, fx: 1, fy: 1, cx: 1}", "the key 'cy' is missing"),
        ("{height: 480, fx: 1, fy: 1, cx: 1, cy: 1}", "the key 'width' is missing"),
        ("{width: 640, height: 480, model: WIDE, params: [1]}", "unknown camera model 'WIDE'"),
        ("{width: 640, height: 480, fx: 1, fy: 1, cx: 1, cy: 1, k9: 1}", "unknown key 'k9'"),
        ("{width: 640, height: 480, fx: -1, fy: 1, cx: 1, cy: 1}", "positive"),
        ("{width: wide, height: 480, fx: 1, fy: 1, cx: 1, cy: 1}", "wide"),
        ("[1, 2]", "2 numbers without names"),
        ("", "expected the keys width"),
        ("{", "it is not yaml"),
    ],
)
def test_camera_files_that_make_no_camera_are_refused_by_name(tmp_path, text, complaint):
    (tmp_path / "camera.yaml").write_text(text)
    with pytest.raises(GeometryError, match=r"camera\.yaml.*: .*" + complaint):
        read_camera_file(tmp_path / "camera.yaml")


def test_the_command_line_extracts_and_reports(tmp_path, capsys):
    folder = pictures(tmp_path / "desk", 3)
    (tmp_path / "camera.json").write_text(
        json.dumps({"width": 64, "height": 48, "fx": 50, "fy": 50, "cx": 32, "cy": 24})
    )
    scene = str(tmp_path / "scene")
    command = ["extract", str(folder), "--scene", scene, "--camera", str(tmp_path / "camera.json")]
    assert main([*command, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["sources"] == Scene.open(scene).sources
    assert printed["sources"]["desk"]["frames"] == 3
    assert main(command) == 0
    assert "desk" in capsys.readouterr().out
    assert main(["extract", str(tmp_path / "nothing"), "--scene", scene]) == 1
    error = capsys.readouterr().err
    assert error.startswith("campose extract: ")
    assert error.count("\n") == 1
    assert main(["extract", str(folder), "--scene", scene, "--topic", "/camera"]) == 2
    assert main(["extract", str(folder), "--scene", scene, "--fps", "5"]) == 0
    assert Scene.open(scene).sources["desk"]["frames"] == 2
    for fps in ("0", "-1", "junk"):
        with pytest.raises(SystemExit) as usage:
            main(["extract", str(folder), "--scene", scene, "--fps", fps])
        assert usage.value.code == 2


# Killed, and long


def extraction(scene, source, *options):
    command = [sys.executable, "-m", "campose_core.cli.main", "extract", str(source), "--scene", str(scene), *options]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def kill_in_the_middle(process, scene, frames):
    deadline = time.monotonic() + 60
    while sum(1 for _ in scene.glob("frames/.*.part/*.jpg")) < frames:
        assert process.poll() is None, "finished before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_a_killed_extraction_is_done_again_with_the_result_of_an_undisturbed_one(tmp_path):
    source = write_bag(tmp_path / "walk", image_entries(1500, period_ns=10_000_000))
    undisturbed, scene = tmp_path / "a" / "scene", tmp_path / "b" / "scene"
    assert extraction(undisturbed, source).wait() == 0

    kill_in_the_middle(extraction(scene, source), scene, frames=20)
    assert not (scene / "frames" / "walk").exists()  # nothing half-written under its final name
    assert extraction(scene, source).wait() == 0
    assert files(scene) == files(undisturbed)

    # Killed while it redoes the source with other options: the finished extraction stays, and stays usable.
    kill_in_the_middle(extraction(scene, source, "--fps", "all"), scene, frames=200)
    usable = Scene.open(scene)
    assert len(usable.frames) == 151
    assert all(usable.frame_path(frame).is_file() for frame in usable.frames)
    assert extraction(scene, source, "--fps", "all").wait() == 0
    assert len(Scene.open(scene).frames) == 1500
    assert extraction(undisturbed, source, "--fps", "all").wait() == 0
    assert files(scene) == files(undisturbed)


PEAK = """
import sys
from campose_core.capture.extract import extract
from campose_core.scene.scene import Scene
extract(Scene.open_or_create(sys.argv[2]), [sys.argv[1]])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak_megabytes(source, scene):
    command = [sys.executable, "-c", PEAK, str(source), str(scene)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]) / 1024


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("kind", ["video", "mcap", "sqlite3", "ros1"])
def test_memory_does_not_grow_with_the_length_of_the_recording(tmp_path, kind):
    def recording(count):
        frames = (picture(i % 90, width=320, height=240) for i in range(count))
        if kind == "video":
            return write_long_video(tmp_path / f"{count}.mp4", frames)
        make = Messages(kind == "ros1")
        entries = ((TOPIC, 1 + i, make.image(1 + i, pixels)) for i, pixels in enumerate(frames))
        return write_bag(tmp_path / f"{count}.bag", entries, kind)

    short = peak_megabytes(recording(30), tmp_path / "short")
    long = peak_megabytes(recording(120), tmp_path / "long")  # 20 MB of pixels more
    assert long - short < 8


def write_long_video(path, frames):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.options = {"preset": "ultrafast"}
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_the_kitchen_is_extracted_alike_from_video_and_bag(tmp_path, shared_data):
    kitchen = shared_data / "redkitchen"
    camera = read_camera_file(kitchen / "camera.json")
    scene = extract(new_scene(tmp_path), [kitchen / "query.mp4", kitchen / "query.bag"], fps=10.0, camera=camera)
    video, bag = ([f for f in scene.frames if f.source == name] for name in ("query", "query_2"))
    assert len(video) == len(bag) == 99
    assert scene.cameras == {"query": camera, "query_2": camera}
    for ours, theirs in list(zip(video, bag, strict=True))[::20]:
        pixels = [np.asarray(PillowImage.open(scene.frame_path(f)).convert("L")).astype(float) for f in (ours, theirs)]
        assert np.corrcoef(pixels[0].ravel(), pixels[1].ravel())[0, 1] > 0.99
    header = yaml.safe_load((scene.path / "scene.yaml").read_text())
    assert header["sources"]["query_2"]["topic"] == "/camera/image_raw/compressed"
