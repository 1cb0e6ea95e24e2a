"""MCAP files of the Foxglove SDK: its own images and calibrations, in protobuf and JSON."""

import base64
import json

import numpy as np
import pytest
from recordings import START_NS, jpeg, picture

from campose_core.capture.recording import open_recording
from campose_core.errors import CaptureError

COUNT, PERIOD_NS = 4, 100_000_000
K = [50.0, 0.0, 31.5, 0.0, 51.0, 23.5, 0.0, 0.0, 1.0]
D = [0.1, -0.05, 0.001, 0.002, 0.0]


def fields_of(kind, i):
    """The fields of message i, as the schemas of the SDK name them."""
    pixels = picture(i)
    height, width = pixels.shape[:2]
    return {
        "CompressedImage": {"frame_id": "cam", "format": "jpeg", "data": jpeg(pixels)},
        "RawImage": {
            "frame_id": "cam", "width": width, "height": height, "encoding": "rgb8", "step": 3 * width,
            "data": pixels.tobytes(),
        },
        "CameraCalibration": {
            "frame_id": "cam", "width": width, "height": height, "distortion_model": "plumb_bob", "D": D, "K": K,
            "R": np.eye(3).ravel().tolist(), "P": [*K[:3], 0.0, *K[3:6], 0.0, *K[6:], 0.0],
        },
    }[kind]  # fmt: skip


def message(kind, encoding, i, stamped=True):
    sec, nsec = divmod(START_NS + i * PERIOD_NS, 10**9)
    fields = fields_of(kind, i)
    if encoding == "protobuf":
        sdk = pytest.importorskip("foxglove.messages")
        return getattr(sdk, kind)(timestamp=sdk.Timestamp(sec, nsec) if stamped else None, **fields).encode()
    if "data" in fields:
        fields["data"] = base64.b64encode(fields["data"]).decode()
    return json.dumps({**({"timestamp": {"sec": sec, "nsec": nsec}} if stamped else {}), **fields}).encode()


def write_mcap(path, kinds, encoding, change=lambda data: data, stamped=True):
    mcap_writer = pytest.importorskip("mcap.writer")
    with path.open("wb") as file:
        writer = mcap_writer.Writer(file)
        writer.start("", "foxglove-sdk")
        for kind, topic in kinds.items():
            schema = {"protobuf": "protobuf", "json": "jsonschema"}[encoding]
            schema_id = writer.register_schema(f"foxglove.{kind}", schema, b"")
            channel_id = writer.register_channel(topic, encoding, schema_id)
            for i in range(COUNT):
                log_ns = START_NS + i * PERIOD_NS
                writer.add_message(channel_id, log_ns, change(message(kind, encoding, i, stamped)), log_ns)
        writer.finish()
    return path


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
@pytest.mark.parametrize("kind", ["CompressedImage", "RawImage"])
def test_images_and_their_calibration_are_read(tmp_path, kind, encoding):
    kinds = {kind: "/camera/image", "CameraCalibration": "/camera/camera_info"}
    recording = open_recording(write_mcap(tmp_path / "walk.mcap", kinds, encoding))
    frames = list(recording.frames())
    assert [frame.stamp_ns for frame in frames] == [START_NS + i * PERIOD_NS for i in range(COUNT)]
    assert {frame.camera_frame for frame in frames} == {"cam"}
    for i, frame in enumerate(frames):
        error = np.abs(frame.image.astype(int) - picture(i)).mean()
        assert error < (4.0 if kind == "CompressedImage" else 1e-9)
    assert recording.calibrated
    assert recording.camera.model == "OPENCV"
    np.testing.assert_allclose(recording.camera.params, [50.0, 51.0, 31.5, 23.5, *D[:4]])


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_messages_without_a_timestamp_take_their_log_times(tmp_path, capsys, encoding):
    kinds = {"CompressedImage": "/camera/image", "CameraCalibration": "/camera/camera_info"}
    recording = open_recording(write_mcap(tmp_path / "walk.mcap", kinds, encoding, stamped=False))
    assert [frame.stamp_ns for frame in recording.frames()] == [START_NS + i * PERIOD_NS for i in range(COUNT)]
    assert f"all {COUNT} messages take their log time, because {COUNT} stamps are zero" in capsys.readouterr().err
    assert recording.calibrated


@pytest.mark.parametrize("stamp", ['"2023-11-14T22:13:20Z"', "17", '{"sec": 1700000000, "nanos": 5}'])
def test_a_timestamp_of_another_form_is_not_taken_for_none(tmp_path, stamp):
    def other(data):
        return json.dumps({**json.loads(data), "timestamp": json.loads(stamp)}).encode()

    path = write_mcap(tmp_path / "walk.mcap", {"CompressedImage": "/camera/image"}, "json", other)
    with pytest.raises(
        CaptureError, match=rf"on /camera/image: not a \S*/CompressedImage: .* \({COUNT} undecodable message"
    ):
        list(open_recording(path).frames())


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
@pytest.mark.parametrize("change", [lambda data: data[: len(data) // 2], lambda data: b"\xff" * 40, lambda data: b""])
def test_damaged_messages_are_counted_or_refused(tmp_path, encoding, change):
    path = write_mcap(tmp_path / "walk.mcap", {"CompressedImage": "/camera/image"}, encoding, change)
    with pytest.raises(CaptureError, match=r"walk\.mcap"):
        list(open_recording(path).frames())
