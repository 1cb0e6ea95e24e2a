"""Frames between placed ones get the pose that the IMU of their bag tells, where it is sure."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from bag_messages import imu_message, static
from imu_walks import SECOND, imu_samples
from recordings import START_NS, Messages, picture, write_bag
from scipy.spatial.transform import Rotation
from tracked_walks import Path

from campose_core.alignment.inertial_labels import label_by_imu
from campose_core.errors import AlignmentError, CaptureError
from campose_core.geometry import Pose, Similarity, pose_error
from campose_core.scene.alignment import Alignment
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene

IMU_FROM_CAM = Pose(Rotation.from_euler("xyz", [-90.0, 10.0, 80.0], degrees=True), np.array([0.1, 0.02, -0.05]))
SECONDS = 32.0


def in_g(values):
    return values / 9.80665


@pytest.fixture(scope="module")
def walk() -> Path:
    return Path(4, SECONDS)


@pytest.fixture(scope="module")
def bags(walk, tmp_path_factory):
    """The same walk recorded well, without TF, with its acceleration in g, and without an IMU."""
    folder, make = tmp_path_factory.mktemp("bags"), Messages()
    samples = imu_samples(walk, 4, rate_hz=100)
    image = ("/image", START_NS, make.image(START_NS, picture(0)))
    tf = ("/tf_static", START_NS, static(make, ("imu_link", "camera_optical", IMU_FROM_CAM)))

    def imu(change=lambda values: values):
        rows = zip(samples.stamps_ns.tolist(), samples.gyro_rad_s, change(samples.accel_m_s2), strict=True)
        return [("/imu", START_NS + t, imu_message(make, START_NS + t, gyro, accel)) for t, gyro, accel in rows]

    contents = {
        "good": [image, tf, *imu()],
        "adrift": [image, *imu()],
        "g": [image, tf, *imu(in_g)],
        "none": [image, tf],
    }
    return {name: write_bag(folder / name, entries) for name, entries in contents.items()}


@pytest.fixture
def scene(walk, bags, tmp_path) -> Scene:
    """Frames at 10 Hz with 2 mm and 0.1 deg of noise; two gaps, of one second and of nine."""
    generator, frames = np.random.default_rng(0), []
    for t in np.arange(1.0, SECONDS - 1.0, 0.1):
        true = walk.pose(t) * IMU_FROM_CAM
        turn = Rotation.from_rotvec(generator.normal(0, np.radians(0.1), 3))
        seen = Pose(turn * true.rotation, true.translation + generator.normal(0, 0.002, 3))
        blind = 10.0 <= t < 11.0 or 16.0 <= t < 25.0
        stamp_ns = START_NS + round(t * SECOND)
        frames.append(SceneFrame(f"a/{stamp_ns}.jpg", "a", stamp_ns, "a", "", None if blind else seen))
    return Scene(
        tmp_path / "scene",
        "scene",
        sources={"a": {"path": str(bags["good"])}},
        alignment=Alignment(Similarity.identity(), "reference poses"),
        frames=tuple(frames),
    )


def of_bag(scene: Scene, path) -> Scene:
    return replace(scene, sources={"a": {"path": str(path)}})


def test_short_gaps_are_filled_and_long_ones_are_not(scene, walk, capsys):
    scene.path.mkdir()
    labelled = label_by_imu(scene)
    before = {frame.name: frame.map_from_cam for frame in scene.frames}
    new = [f for f in labelled.frames if before[f.name] is None and f.map_from_cam is not None]
    seconds = [(frame.stamp_ns - START_NS) / SECOND for frame in new]
    assert set(np.round(seconds, 1)) >= set(np.round(np.arange(10.0, 11.0, 0.1), 1))
    assert not any(19.5 < s < 21.5 for s in seconds)  # no longer sure in the middle of nine seconds
    errors = np.array(
        [pose_error(f.map_from_cam, walk.pose(s) * IMU_FROM_CAM) for f, s in zip(new, seconds, strict=True)]
    )
    assert errors[:, 0].max() < 0.1
    assert np.degrees(errors[:, 1].max()) < 1.0
    assert all(f.map_from_cam is before[f.name] for f in labelled.frames if before[f.name] is not None)
    report = json.loads((scene.path / "reports" / "imu.json").read_text())["a"]
    assert report["by_imu"].keys() == {frame.name for frame in new}
    assert report["too_unsure"]
    assert [drift["seconds"] for drift in report["drift"]][:2] == [1.0, 5.0]
    assert "the IMU alone is off after 1 s without a fix" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("bag", "message"),
    [
        ("adrift", "no static transforms connect the camera .camera_optical. and the IMU .imu_link."),
        ("g", "it is in g: multiply it by"),
    ],
)
def test_an_imu_that_cannot_be_used_is_named(scene, bags, bag, message):
    with pytest.raises(CaptureError, match=message):
        label_by_imu(of_bag(scene, bags[bag]))


def test_without_imu_or_metres_there_is_nothing_to_tell(scene, bags, tmp_path):
    with pytest.raises(AlignmentError, match=r"no recording of .* is a bag with an IMU"):
        label_by_imu(of_bag(scene, bags["none"]))
    with pytest.raises(AlignmentError, match="not in a metric frame"):
        label_by_imu(replace(scene, alignment=None))
    shutil.copytree(bags["good"], tmp_path / "moved")
    with pytest.raises(CaptureError, match="contradict the IMU"):  # mounted another way than TF says
        label_by_imu(replace(scene, frames=tuple(_turned(frame) for frame in scene.frames)))


def _turned(frame: SceneFrame) -> SceneFrame:
    pose = frame.map_from_cam
    aside = Pose(Rotation.from_euler("y", 90, degrees=True), np.zeros(3))
    return frame if pose is None else replace(frame, map_from_cam=pose * aside)
