"""Images of the Foxglove SDK, in protobuf or JSON, as the messages of ROS that hold the same.

Fields as in github.com/foxglove/foxglove-sdk, schemas/proto/foxglove/; protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import base64
import json
import logging
import struct
from typing import Any, NamedTuple

import numpy as np

from campose_core.bag.decoding import encoded, message_types

log = logging.getLogger(__name__)

ENCODINGS = ("protobuf", "json")
VARINT, EIGHT_BYTES, SIZED, FOUR_BYTES = 0, 1, 2, 5  # wire types of protobuf


class _Schema(NamedTuple):
    """msgtype: of ROS. numbers: of the fields in protobuf; JSON has their names."""

    msgtype: str
    numbers: dict[str, int]


SCHEMAS = {
    "foxglove.CompressedImage": _Schema(
        "foxglove_msgs/msg/CompressedImage", {"timestamp": 1, "data": 2, "format": 3, "frame_id": 4}
    ),
    "foxglove.CompressedVideo": _Schema(
        "foxglove_msgs/msg/CompressedVideo", {"timestamp": 1, "frame_id": 2, "data": 3, "format": 4}
    ),
    "foxglove.RawImage": _Schema(
        "sensor_msgs/msg/Image",
        {"timestamp": 1, "width": 2, "height": 3, "encoding": 4, "step": 5, "data": 6, "frame_id": 7},
    ),
    "foxglove.CameraCalibration": _Schema(
        "sensor_msgs/msg/CameraInfo",
        {"timestamp": 1, "width": 2, "height": 3, "distortion_model": 4, "D": 5, "K": 6, "R": 7, "P": 8, "frame_id": 9},
    ),
}


def ros_type(schema: str, encoding: str) -> str | None:
    """Return the type of ROS that holds the same; None where there is none, or another encoding."""
    return SCHEMAS[schema].msgtype if schema in SCHEMAS and encoding in ENCODINGS else None


def as_ros(data: bytes, schema: str, encoding: str) -> bytes:
    """Return a message of a schema of `SCHEMAS` as CDR; empty, which is no message, where it is damaged."""
    wanted = SCHEMAS[schema]
    try:
        fields = _of_json(data) if encoding == "json" else _of_protobuf(data, wanted.numbers)
        return encoded(_message(wanted.msgtype, fields))
    except Exception as error:  # numbers and texts of any kind go into rosbags' generated code
        log.debug("%s: %r", schema, error)
        return b""


def _message(msgtype: str, fields: dict[str, Any]) -> Any:
    types = message_types()
    stamp, frame_id = types["builtin_interfaces/msg/Time"](*fields["timestamp"]), fields.get("frame_id", "")
    data = np.frombuffer(fields.get("data", b""), dtype=np.uint8)
    if msgtype.startswith("foxglove_msgs/"):
        return types[msgtype](stamp, frame_id, data, fields.get("format", ""))
    header = types["std_msgs/msg/Header"](stamp, frame_id)
    size = fields.get("height", 0), fields.get("width", 0)
    if msgtype == "sensor_msgs/msg/Image":
        return types[msgtype](header, *size, fields.get("encoding", ""), 0, fields.get("step", 0), data)
    d, k, r, p = (np.array(fields.get(name, []), dtype=np.float64) for name in "DKRP")
    whole = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    matrices = (k if k.size else np.zeros(9), r if r.size else np.eye(3).ravel(), p if p.size else np.zeros(12))
    return types[msgtype](header, *size, fields.get("distortion_model", ""), d, *matrices, 0, 0, whole)


def _of_json(data: bytes) -> dict[str, Any]:
    fields = json.loads(data)
    stamp = fields.get("timestamp")
    time = (int(stamp["sec"]), int(stamp["nsec"])) if stamp else (0, 0)  # without one, as in protobuf
    binary = {"data": base64.b64decode(fields["data"])} if "data" in fields else {}
    return {**fields, **binary, "timestamp": time}


def _of_protobuf(data: bytes, numbers: dict[str, int]) -> dict[str, Any]:
    values = _wire_values(data)
    fields: dict[str, Any] = {}
    for name, number in numbers.items():
        found = values.get(number, [])
        if name == "timestamp":
            inner = _wire_values(found[-1]) if found else {}
            fields[name] = tuple(inner.get(part, [0])[-1] for part in (1, 2))
        elif name in "DKRP":  # packed, or one by one
            fields[name] = [value for part in found for (value,) in struct.iter_unpack("<d", part)]
        elif found and name in ("width", "height", "step"):
            (fields[name],) = struct.unpack("<I", found[-1])
        elif found:
            fields[name] = found[-1] if name == "data" else found[-1].decode()
    return fields


def _wire_values(data: bytes) -> dict[int, list[Any]]:
    """Return the values by the number of their field: whole numbers, or the bytes of the others."""
    values: dict[int, list[Any]] = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        value: int | bytes
        if kind == VARINT:
            value, at = _varint(data, at)
        else:
            size, at = _varint(data, at) if kind == SIZED else ({EIGHT_BYTES: 8, FOUR_BYTES: 4}[kind], at)
            value, at = data[at : at + size], at + size
        values.setdefault(key >> 3, []).append(value)
    if at > len(data):
        raise ValueError("a field ends beyond its message")
    return values


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, the least first, and where it ends."""
    number, shift = 0, 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
        if shift > 63:
            raise ValueError("a number of more than ten bytes")
