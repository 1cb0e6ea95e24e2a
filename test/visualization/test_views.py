"""Scenes and bags as a viewer is shown them, and the files that hold the same."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from mcap.reader import make_reader
from scipy.spatial.transform import Rotation
from viewing import decode, pose_of, small_scene, stamp_of, values

from campose_core.bag.file import open_bag
from campose_core.bag.writer import write_bag
from campose_core.camera import Camera
from campose_core.cli.main import main
from campose_core.frame import Frame
from campose_core.geometry import Pose, pose_error
from campose_core.map_scale import UNKNOWN, MapScale, ScaleBasis
from campose_core.visualization.layout import layout_beside
from campose_core.visualization.mcap import write_source
from campose_core.visualization.recording_view import RecordingView
from campose_core.visualization.scene_view import SceneView
from campose_core.visualization.topics import IMAGE, LATCHED, MAP, REFERENCE_PATH, TF_STATIC, TYPES

STAMPS = [1_700_000_000_000_000_000 + 100_000_000 * i for i in range(8)]
OFFSET = Pose(Rotation.from_rotvec([0, 0, np.radians(2)]), [0.03, -0.04, 0.0])


def frames():
    for i, stamp_ns in enumerate(STAMPS):
        yield Frame(stamp_ns, np.full((48, 64, 3), 25 * i, dtype=np.uint8), "front_optical", f"drive/{i}")


def read(path: Path) -> dict[str, list[tuple[int, object]]]:
    """Topic -> (log time, decoded message), and checks that the summary tells what the file holds."""
    found: dict[str, list[tuple[int, object]]] = {}
    with open(path, "rb") as file:
        reader = make_reader(file, validate_crcs=True)
        for schema, channel, message in reader.iter_messages():
            decoded = decode(channel.message_encoding, schema.name, schema.data, message.data)
            assert schema.name == TYPES[channel.topic]
            found.setdefault(channel.topic, []).append((message.log_time, decoded))
        summary = reader.get_summary()
    assert {channel.topic for channel in summary.channels.values()} == set(found)
    return found


def test_a_scene_with_its_sources_one_after_the_other(tmp_path):
    scene = small_scene(tmp_path / "scene")
    view = SceneView(scene)
    write_source(tmp_path / "scene.mcap", view)
    found = read(tmp_path / "scene.mcap")
    assert set(found) == set(view.topics)
    times = [log_time for log_time, _ in found["/camera/image_raw/compressed"]]
    assert times == sorted(set(times))
    assert len(times) == len(scene.frames)
    assert view.span_ns == (times[0], times[-1])
    statuses = [values(message) for _, message in found["/localizer/status"]]
    assert [status["image"] for status in statuses] == [frame.name for frame in scene.frames]
    assert statuses[-1]["state"] == "NOT MAPPED"
    for (stamp_ns, message), frame in zip(found["/localizer/pose"], scene.posed_frames(), strict=True):
        assert stamp_of(message) == stamp_ns
        assert max(pose_error(pose_of(message.pose), frame.map_from_cam)) < 1e-7


def test_a_scale_that_nothing_measured_is_told_and_a_floor_that_lies_elsewhere_is_not_shown(tmp_path):
    scene = small_scene(tmp_path / "scene")
    for scale in (MapScale(ScaleBasis.ASSUMED, 0.15), UNKNOWN):
        view = SceneView(replace(scene, alignment=replace(scene.alignment, scale=scale)))
        write_source(tmp_path / "scene.mcap", view)
        found = read(tmp_path / "scene.mcap")
        assert MAP not in found  # it was given, and nothing has shown where it lies
        told = found["/diagnostics"][0][1].status[0]
        assert scale.in_words() in told.message
        assert values(found["/diagnostics"][0][1])["scale"] == scale.in_words().removeprefix("scale ")
    own = scene.with_step("floor", {"landmarks": str(scene.path)})
    assumed = replace(own, alignment=replace(scene.alignment, scale=MapScale(ScaleBasis.ASSUMED, 0.15)))
    assert MAP in SceneView(assumed).topics
    assert MAP not in SceneView(replace(own, alignment=replace(scene.alignment, scale=UNKNOWN))).topics


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    small_scene(tmp_path / "scene")
    out = tmp_path / "out"
    out.mkdir()
    limited = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "from campose_core.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", limited, "view", str(tmp_path / "scene"), "--mcap", str(out / "scene.mcap")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"campose view: {out}/scene.mcap cannot be written: File too large"
    assert "Error" not in done.stderr
    assert not list(out.iterdir())


def test_view_writes_a_file_and_says_how_to_look(tmp_path, capsys):
    small_scene(tmp_path / "scene")
    assert main(["view", str(tmp_path / "scene"), "--mcap", str(tmp_path / "scene.mcap")]) == 0
    said = capsys.readouterr().err
    assert str(tmp_path / "scene.mcap") in said
    layout = tmp_path / "scene" / "foxglove_layout.json"
    assert f"Import from file, {layout}" in said
    assert json.loads(layout.read_text())["configById"]["3D!all"]["cameraState"]["targetOffset"] != [0, 0, 0]
    shutil.copy(tmp_path / "scene.mcap", tmp_path / "scene")  # a recording in a scene does not make it one
    assert main(["view", str(tmp_path / "scene"), "--mcap", str(tmp_path / "again.mcap")]) == 0
    assert main(["view", str(tmp_path / "scene.mcap"), "--mcap", str(tmp_path / "again.mcap")]) == 2
    assert "the app opens MCAP files itself" in capsys.readouterr().err


def test_of_a_replayed_bag_the_layout_beside_it_is_named(tmp_path):
    bag = tmp_path / "replayed" / "bag"
    write_bag(bag, frames(), Camera("PINHOLE", 64, 48, (60.0, 60.0, 31.5, 23.5)))
    (file,) = bag.glob("*.mcap")
    assert layout_beside(bag) is layout_beside(file) is None
    (layout := tmp_path / "replayed" / "foxglove_layout.json").write_text("{}")
    assert layout_beside(bag) == layout_beside(file) == layout


def test_the_file_is_a_bag_that_is_shown_as_the_scene_is(tmp_path):
    view = SceneView(small_scene(tmp_path / "scene"))
    write_source(tmp_path / "scene.mcap", view)
    with open_bag(tmp_path / "scene.mcap") as bag:
        again = RecordingView(bag)
        assert again.topics == view.topics
        assert again.span_ns == view.span_ns
        middle_ns = sum(view.span_ns) // 2
        for from_ns in (view.span_ns[0], middle_ns, view.span_ns[1]):
            moving = list(again.messages(from_ns, lambda topic: topic not in LATCHED))
            assert moving == [m for m in view.messages(from_ns, lambda _: True) if m.topic not in LATCHED]
        # The path is that of the source that is shown; what stands still was written at the beginning.
        for at_ns in view.span_ns:
            data = {message.topic: message.data for message in again.latched(at_ns)}
            began = {message.topic: message.data for message in view.latched(view.span_ns[0])}
            path = {message.topic: message.data for message in view.messages(0, lambda _: True)}[REFERENCE_PATH]
            assert data == (began if at_ns == view.span_ns[0] else began | {REFERENCE_PATH: path})


def test_a_bag_of_a_camera_is_shown_as_it_is(tmp_path):
    camera = Camera("PINHOLE", 64, 48, (60.0, 60.0, 31.5, 23.5))
    write_bag(tmp_path / "bag", frames(), camera, base_from_cam=OFFSET)
    with open_bag(tmp_path / "bag") as bag:
        view = RecordingView(bag)
        assert view.span_ns == (STAMPS[0], STAMPS[-1])
        assert {name for name, kind in view.topics.items() if kind.latched} == {"/tf_static"}
        (mounting,) = view.latched(STAMPS[-1])
        (link,) = decode("cdr", TYPES[TF_STATIC], view.topics[TF_STATIC].definition.encode(), mounting.data).transforms
        assert link.transform.translation.x == OFFSET.translation[0]
        later = list(view.messages(STAMPS[5], lambda topic: topic == IMAGE))
        assert [message.stamp_ns for message in later] == STAMPS[5:]


def test_nothing_to_show_is_one_clear_line(tmp_path, capsys):
    (tmp_path / "x.mcap").write_bytes(b"junk")
    assert main(["view", str(tmp_path / "x.mcap")]) == 1
    assert "x.mcap" in capsys.readouterr().err
    assert main(["view", str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_without_foxglove_the_command_names_what_to_install(tmp_path):
    small_scene(tmp_path)
    without = (
        "import sys\n"
        "sys.modules['foxglove'] = None\n"
        "import campose_core.visualization.server, campose_core.visualization.mcap\n"
        "from campose_core.cli.main import main\n"
        "sys.exit(main(['view', sys.argv[1], '--port', '0']))\n"
    )
    command = [sys.executable, "-c", without, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "campose view: foxglove is not installed: pip install 'campose_ros[view]'\n"
