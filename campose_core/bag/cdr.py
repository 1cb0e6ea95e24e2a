"""ROS 2 messages without ROS: their classes, their text definitions, and their bytes on the wire (CDR)."""

from __future__ import annotations

from typing import Any

import numpy as np

from campose_core.bag.ros_messages import RosMessages
from campose_core.extras import load_extra


class Cdr:
    """`messages` builds them from the classes of rosbags; they are those of ROS 2 Jazzy.

    Raises:
        MissingDependency: rosbags is not installed.
    """

    def __init__(self) -> None:
        load_extra("rosbags", "bag")
        from rosbags.typesys import Stores, get_typestore

        self.store = get_typestore(Stores.ROS2_JAZZY)
        self.messages = RosMessages(self.store.types.__getitem__, np.asarray)

    def serialize(self, message: Any) -> bytes:
        """Return the bytes of a message that `messages` has built."""
        return bytes(self.store.serialize_cdr(message, message.__msgtype__))

    def definition(self, msgtype: str) -> str:
        """Return the message definition with those of its parts, as schema encoding `ros2msg` has it."""
        return self.store.generate_msgdef(msgtype, ros_version=2)[0]
