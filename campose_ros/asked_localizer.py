"""What a replayer asks the localizer that it plays to: is it active, where does the camera sit, what does it refuse."""

from __future__ import annotations

import time
from collections.abc import Sequence
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
AGAIN_S = 2.0  # a question that comes before the other side knows who asks is not answered
REPORT_S = 3.0  # diagnostics come once a second
LEFT_OUT = ("images_refused", "images_too_late")  # counts of the diagnostics: of such images there is no status
SILENCE = "no image on "  # how InputWatch begins to say that images stay away, instead of what was wrong with the last
PARAMETERS = ("cameras", "base_from_camera", "base_from_camera_tf")


class AskedLocalizer:
    """The localizer `name`, asked through its services; somebody else spins `node`."""

    def __init__(self, node: Node, name: str) -> None:
        self._node, self.name = node, "/" + name.strip("/")
        self._state = node.create_client(GetState, f"{self.name}/get_state")
        self._parameters = node.create_client(GetParameters, f"{self.name}/get_parameters")
        self._asked: Any = None
        self._asked_at = 0.0
        self._idle_since: float | None = None
        self._fault = ""
        self._counted: int | None = None
        self.left_out = 0  # images without a status, since the first report that was heard
        self.refusal = ""  # why the last of them was refused
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        name = f"{self.name.lstrip('/')}: localization"
        status = next((status for status in message.status if status.name == name), None)
        if status is None:
            return
        self._fault = status.message if status.level == DiagnosticStatus.ERROR else ""
        values = {item.key: item.value for item in status.values}
        if LEFT_OUT[0] in values:  # of a node that is active
            counted = sum(int(values.get(key, 0)) for key in LEFT_OUT)
            if self._counted is not None and counted > self._counted:
                self.left_out += counted - self._counted
                if not status.message.startswith(SILENCE):
                    self.refusal = self._fault
            self._counted = counted

    def wait_for_report(self) -> None:
        """Wait until it has said what it left out before; not for long, since a bag can be played without."""
        deadline = time.monotonic() + REPORT_S
        while self._counted is None and time.monotonic() < deadline:
            time.sleep(0.02)

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
        return f"the node {self.name} is {label}{said}: `ros2 lifecycle set {self.name} {cure}`"

    def why_none(self, published: int) -> str:
        """Say for people that none of so many images was processed, and what its diagnostics said of that."""
        why = self.refusal or self._fault or "its log may say why"
        return f"the localizer {self.name} processed none of the {published} images that were played to it: {why}"

    def max_rate_hz(self) -> float:
        """Return how many images a second it takes of each camera, at most; 0: all.

        Raises:
            LocalizationError: it does not answer.
        """
        (value,) = self._parameter_values(["max_rate_hz"])
        return float(value.double_value)

    def base_from_camera(self) -> Pose:
        """Return where its one camera sits on the base.

        Raises:
            LocalizationError: it does not answer, has several cameras, or asks tf where they are.
        """
        cameras, place, by_tf = self._parameter_values(PARAMETERS)
        if list(cameras.string_array_value) != [""] or by_tf.bool_value:
            raise LocalizationError(
                f"--reference is of the camera, and {self.name} does not say by base_from_camera where one sits: "
                "leave it out, and score DIR/pose_raw.tum with `campose evaluate` against the true path of the base"
            )
        return pose_of_numbers(place.double_array_value)

    def _parameter_values(self, names: Sequence[str]) -> list[Any]:
        deadline, asked_at, future = time.monotonic() + ANSWER_S, 0.0, None
        while future is None or not future.done():
            now = time.monotonic()
            if now > deadline:
                raise LocalizationError(f"the node {self.name} does not tell its parameters: is it a localizer?")
            if now - asked_at > AGAIN_S:
                asked_at, future = now, self._parameters.call_async(GetParameters.Request(names=names))
            time.sleep(0.02)
        return list(future.result().values)
