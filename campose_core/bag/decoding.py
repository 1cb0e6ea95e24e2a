"""Messages of bags, between their bytes and their types."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

from campose_core.bag.decompression import unpack
from campose_core.bag.image_messages import VIDEO_TYPES
from campose_core.errors import CaptureError

log = logging.getLogger(__name__)

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def standard_name(msgtype: str) -> str:
    """Return `package/msg/Name`, also where a recorder wrote the ROS 1 form `package/Name`."""
    package, *_, name = msgtype.split("/")
    return f"{package}/msg/{name}"


def decoded(data: bytes, msgtype: str, is_ros1: bool = False) -> Any:
    """Return the message, or the CaptureError that says why it is none."""
    try:
        store = _typestore(is_ros1)
        data = unpacked(data)
        return store.deserialize_ros1(data, msgtype) if is_ros1 else store.deserialize_cdr(data, msgtype)
    except Exception as error:  # generated code raises anything on bytes of another type
        log.debug("%s: %r", msgtype, error)
        what = f"its {len(data)} bytes do" if data else "it is empty, or its fields do"  # empty: see `as_ros`
        return CaptureError(f"not a {msgtype}: {what} not fit that type")


def unpacked(data: bytes) -> bytes:
    """Return the bytes without rosbag2's message compression; CDR starts with a zero byte."""
    return unpack(data, "zstd") if data.startswith(ZSTD_MAGIC) else data


def is_translated(msgtype: str) -> bool:
    """Tell whether ROS 1 and ROS 2 both have the type, so that a message of one can become one of the other."""
    return all(msgtype in _typestore(is_ros1).types for is_ros1 in (True, False))


def translated(data: bytes, msgtype: str) -> bytes:
    """Return a message of ROS 1 as CDR; its type must be one that `is_translated`."""
    from rosbags.convert.converter import migrate_bytes

    stores = _typestore(True), _typestore(False)
    return bytes(migrate_bytes(*stores, msgtype, msgtype, _MIGRATIONS, data, src_is2=False, dst_is2=True))


def message_types() -> dict[str, Any]:
    """Return the classes of the messages of ROS 2 by their names."""
    return dict(_typestore(False).types)


def encoded(message: Any) -> bytes:
    """Return a message of ROS 2, of a class of `message_types`, as CDR."""
    return bytes(_typestore(False).serialize_cdr(message, message.__msgtype__))


_MIGRATIONS: dict[str, object] = {}  # rosbags' own: how it maps the fields of a type


def standard_definition(msgtype: str) -> str:
    """Return a type's definition as the standard packages have it; empty where they do not."""
    store = _typestore(False)
    return str(store.generate_msgdef(msgtype, ros_version=2)[0]) if msgtype in store.types else ""


@lru_cache(maxsize=2)
def _typestore(is_ros1: bool) -> Any:
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC if is_ros1 else Stores.ROS2_JAZZY)
    for msgtype, definition in VIDEO_TYPES.items():
        store.register(get_types_from_msg(definition, msgtype))
    return store
