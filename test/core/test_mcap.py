import io
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from PIL import Image
from scipy.spatial.transform import Rotation
from viewing import decode, pose_of, small_floor, walk

from campose_core.camera import Camera
from campose_core.capture.frame import Frame
from campose_core.errors import CaptureError, TrajectoryError
from campose_core.geometry import Pose, pose_error
from campose_core.trajectory import Trajectory
from campose_core.visualization.channels import TOPICS, Landmarks
from campose_core.visualization.mcap import write_mcap

STAMPS = [1_700_000_000_000_000_000 + 100_000_000 * i for i in range(8)]
CAMERA = Camera("PINHOLE", 64, 48, (60.0, 60.0, 31.5, 23.5))
OFFSET = Pose(Rotation.from_rotvec([0, 0, np.radians(2)]), [0.03, -0.04, 0.0])


def read(path: Path) -> dict[str, list[tuple[int, object]]]:
    """Topic -> (log time, decoded message), and checks that the summary tells what the file holds."""
    found: dict[str, list[tuple[int, object]]] = {}
    with open(path, "rb") as file:
        reader = make_reader(file, validate_crcs=True)
        for schema, channel, message in reader.iter_messages():
            decoded = decode(channel.message_encoding, schema.name, schema.data, message.data)
            assert schema.name == TOPICS.get(channel.topic, schema.name)
            found.setdefault(channel.topic, []).append((message.log_time, decoded))
        summary = reader.get_summary()
    assert {channel.topic for channel in summary.channels.values()} == set(found)
    return found


def stamp_of(message) -> int:
    return int(message.timestamp.seconds) * 10**9 + int(message.timestamp.nanos)


def frames():
    for i, stamp_ns in enumerate(STAMPS):
        yield Frame(stamp_ns, np.full((48, 64, 3), 25 * i, dtype=np.uint8), "front_optical", f"drive/{i}")


def answers() -> tuple[Trajectory, dict[str, Trajectory]]:
    """The truth; raw is off by OFFSET on the right; image 3 was not answered."""
    truth = walk(STAMPS)
    answered = [i for i in range(len(STAMPS)) if i != 3]
    raw = Trajectory.from_poses([STAMPS[i] for i in answered], [truth[i] * OFFSET for i in answered])
    snapped = Trajectory(raw.stamps_ns, raw.positions * [1, 1, 0], raw.rotations)
    return Trajectory.from_poses(STAMPS, truth), {"raw": raw, "snapped": snapped, "mapnet": raw}


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[str, list[tuple[int, object]]]:
    path = tmp_path_factory.mktemp("mcap") / "demo.mcap"
    reference, estimates = answers()
    write_mcap(
        path,
        floor=small_floor(),
        landmarks_xyz_rgb=Landmarks(np.arange(30.0).reshape(10, 3), np.zeros((10, 3), dtype=np.uint8)),
        camera=CAMERA,
        frames=frames(),
        reference=reference,
        estimates=estimates,
        base_from_cam=Pose(Rotation.identity(), [0.2, 0.0, 0.3]),
        statuses={STAMPS[0]: {"state": "TRACKING", "inliers": 120, "latency_ms": 31.5}},
    )
    assert [p.name for p in path.parent.iterdir()] == ["demo.mcap"]
    return read(path)


def test_it_holds_every_topic_and_the_estimates_by_name(written):
    assert set(written) == set(TOPICS) | {"/path/mapnet", "/pose/mapnet", "/error/mapnet"}


def test_poses_and_stamps_are_those_that_were_given(written):
    _, estimates = answers()
    for topic, name in (("/pose_raw", "raw"), ("/pose", "snapped"), ("/pose/mapnet", "mapnet")):
        stamps = [log_time for log_time, _ in written[topic]]
        assert stamps == [stamp_of(message) for _, message in written[topic]] == list(estimates[name].stamps_ns)
        for (_, message), (_, pose) in zip(written[topic], estimates[name], strict=True):
            assert max(pose_error(pose_of(message.pose), pose)) < 1e-7


def test_the_camera_stands_where_it_was_believed_to_be(written):
    _, estimates = answers()
    for (stamp_ns, transform), (answered_ns, map_from_base) in zip(written["/tf"], estimates["raw"], strict=True):
        assert stamp_ns == answered_ns
        assert transform.child_frame_id == "front_optical"
        t = transform.translation
        np.testing.assert_allclose([t.x, t.y, t.z], map_from_base.transform([0.2, 0.0, 0.3]), atol=1e-9)


def test_errors_are_against_the_reference(written):
    for _, error in written["/error/raw"]:
        assert error["position_m"] == pytest.approx(0.05)
        assert error["rotation_deg"] == pytest.approx(2.0)
    assert len(written["/error/raw"]) == len(STAMPS) - 1


def test_pictures_and_states_of_all_frames(written):
    assert [log_time for log_time, _ in written["/camera/image"]] == STAMPS
    for i, (_, message) in enumerate(written["/camera/image"]):
        assert (message.format, message.frame_id) == ("jpeg", "front_optical")
        picture = np.asarray(Image.open(io.BytesIO(message.data)), dtype=float)
        assert np.abs(picture - 25 * i).max() < 4
    states = [message["state"] for _, message in written["/status"]]
    assert states == ["TRACKING", "ANSWERED", "ANSWERED", "NO POSE", *["ANSWERED"] * 4]
    assert written["/status"][0][1] == {"image": "drive/0", "state": "TRACKING", "inliers": 120, "latency_ms": 31.5}


def test_poses_without_pictures_are_written_too(tmp_path):
    reference, estimates = answers()
    write_mcap(
        tmp_path / "x.mcap",
        floor=None,
        landmarks_xyz_rgb=None,
        camera=CAMERA,
        frames=[frame for i, frame in enumerate(frames()) if i in (0, 4)],
        reference=reference,
        estimates=estimates,
    )
    found = read(tmp_path / "x.mcap")
    assert [log_time for log_time, _ in found["/pose"]] == list(estimates["snapped"].stamps_ns)
    assert [log_time for log_time, _ in found["/camera/image"]] == [STAMPS[0], STAMPS[4]]
    assert not {"/map", "/landmarks"} & set(found)


def test_a_recording_that_breaks_leaves_the_old_file(tmp_path):
    def broken():
        yield next(frames())
        raise CaptureError("drive.bag: cut after 1 message")

    path = tmp_path / "x.mcap"
    path.write_text("old")
    with pytest.raises(CaptureError, match="cut after 1 message"):
        write_mcap(
            path,
            floor=None,
            landmarks_xyz_rgb=None,
            camera=CAMERA,
            frames=broken(),
            reference=None,
            estimates={},
        )
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("x.mcap", "old")]


@pytest.mark.parametrize(("frame_id", "child"), [("odom", "camera"), ("map", "base_link")])
def test_trajectories_that_do_not_belong_together_are_refused(tmp_path, frame_id, child):
    reference, _ = answers()
    other = Trajectory(reference.stamps_ns, reference.positions, reference.rotations, frame_id, child)
    with pytest.raises(TrajectoryError, match=r"odom|base_link"):
        write_mcap(
            tmp_path / "x.mcap",
            floor=None,
            landmarks_xyz_rgb=None,
            camera=CAMERA,
            frames=[],
            reference=reference,
            estimates={"raw": other},
        )
    assert not list(tmp_path.iterdir())
