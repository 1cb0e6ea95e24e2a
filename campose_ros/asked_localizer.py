"""What a replayer asks the localizer that it plays to: whether it is active, and where the camera sits."""

from __future__ import annotations

import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.srv import GetState
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node

from campose_core.errors import LocalizationError
from campose_core.geometry import Pose
from campose_ros.parameters import pose_of_numbers

GRACE_S = 3.0  # a lifecycle manager may be about to activate it
ASK_S = 0.5
ANSWER_S = 10.0
PARAMETERS = ("cameras", "base_from_camera", "base_from_camera_tf")


class AskedLocalizer:
    """The localizer `name`, asked through its services; somebody else spins `node`."""

    def __init__(self, node: Node, name: str) -> None:
        self._node, self._name = node, "/" + name.strip("/")
        self._state = node.create_client(GetState, f"{self._name}/get_state")
        self._parameters = node.create_client(GetParameters, f"{self._name}/get_parameters")
        self._asked: Any = None
        self._asked_at = 0.0
        self._idle_since: float | None = None
        self._fault = ""
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == f"{self._name.lstrip('/')}: localization":
                self._fault = status.message if status.level == DiagnosticStatus.ERROR else ""

    def require_active(self) -> None:
        """Ask now and then whether it is active; called again and again while something waits for it.

        Raises:
            LocalizationError: it is there, and is not active for longer than a manager would take.
        """
        now = time.monotonic()
        if self._asked is not None and self._asked.done():
            label = self._asked.result().current_state.label
            if label in ("unconfigured", "inactive", "finalized"):
                self._idle_since = now if self._idle_since is None else self._idle_since
            else:
                self._idle_since = None
            self._asked = None
            if self._idle_since is not None and now - self._idle_since > GRACE_S:
                raise LocalizationError(self._why(label))
        if self._asked is None and now - self._asked_at > ASK_S and self._state.service_is_ready():
            self._asked, self._asked_at = self._state.call_async(GetState.Request()), now

    def _why(self, label: str) -> str:
        said = f" ({self._fault})" if self._fault else ""
        cure = "activate" if label == "inactive" else "configure"
        return f"the node {self._name} is {label}{said}: `ros2 lifecycle set {self._name} {cure}`"

    def base_from_camera(self) -> Pose:
        """Return where its one camera sits on the base.

        Raises:
            LocalizationError: it does not answer, has several cameras, or asks tf where they are.
        """
        future, deadline = (
            self._parameters.call_async(GetParameters.Request(names=PARAMETERS)),
            time.monotonic() + ANSWER_S,
        )
        while not future.done():
            if time.monotonic() > deadline:
                raise LocalizationError(f"the node {self._name} does not tell its parameters: is it a localizer?")
            time.sleep(0.02)
        cameras, place, by_tf = future.result().values
        if list(cameras.string_array_value) != [""] or by_tf.bool_value:
            raise LocalizationError(
                f"--reference is of the camera, and {self._name} does not say by base_from_camera where one sits: "
                "leave it out, and score DIR/pose_raw.tum with `campose evaluate` against the true path of the base"
            )
        return pose_of_numbers(place.double_array_value)
