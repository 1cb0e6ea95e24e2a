"""What an operator sees on /diagnostics: is it localized, do its inputs come, and if not, why.

Two statuses, as diagnostic_updater names and merges them: "NODE: localization" and "NODE: inputs".
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from campose_core.localization.result import LocalizationResult, Status
from campose_core.session.focal_watch import FocalWatch
from campose_ros.base_tilt import BaseTilt
from campose_ros.conversions import key_values
from campose_ros.overload import Overload

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def name_of(node: Node) -> str:
    """Return what the names of the node's statuses begin with: it alone tells robots apart that share a domain."""
    return node.get_fully_qualified_name().lstrip("/")


class Fault(NamedTuple):
    """A level of DiagnosticStatus and what to do about it; without text there is none."""

    level: bytes
    text: str


def merged(name: str, faults: Sequence[Fault], good: str, values: Mapping[str, object]) -> DiagnosticStatus:
    """Make one status of the worst level and all texts; `good` is its message when there is no fault."""
    found = [fault for fault in faults if fault.text]
    return DiagnosticStatus(
        level=max((fault.level for fault in found), default=OK),
        name=name,
        message="; ".join(dict.fromkeys(fault.text for fault in found)) or good,
        values=key_values(values),
    )


def complaints(statuses: Sequence[DiagnosticStatus]) -> list[str]:
    """Return what is wrong, each text once: a silent camera is told of by several statuses."""
    wrong = [text for status in statuses if status.level != OK for text in status.message.split("; ")]
    return list(dict.fromkeys(wrong))


def idle_status(node: Node, fault: str, why: str, *, is_active: bool) -> DiagnosticStatus:
    """Write the line of localization while nothing is localized. fault: of the last transition, if it failed."""
    level = ERROR if fault else WARN if is_active else DiagnosticStatus.STALE
    values = key_values({"state": Status.INITIALIZING.value})
    return DiagnosticStatus(level=level, name=f"{name_of(node)}: localization", message=fault or why, values=values)


class ImageRefusal(NamedTuple):
    """Why the last image of a camera could not be used; of_tf: that tf does not tell where the camera sits."""

    text: str
    of_tf: bool


@dataclass
class Tally:
    """Counts since activation and measurements of the last images; both threads of the node write to it.

    focal: the session's. silent: the cameras of which no image comes, as far as is known.
    """

    dropped: int = 0
    came_late: int = 0
    refused: int = 0
    processed: int = 0
    answered: int = 0
    last: LocalizationResult | None = None
    focal: FocalWatch = field(default_factory=FocalWatch)
    silent: frozenset[str] = frozenset()
    load: Overload = field(default_factory=Overload)
    tilt: BaseTilt = field(default_factory=BaseTilt)
    _refusals: dict[str, ImageRefusal | None] = field(default_factory=dict)  # by camera; None: its last image was used
    _latencies: deque[float] = field(default_factory=lambda: deque(maxlen=100))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def drop(self, older: int) -> None:
        """Count older images, so many that were dropped for a newer one."""
        with self._lock:
            self.dropped += older
            self.load.drop(older)

    def late(self) -> None:
        """Count an image that came when a later one, or one with its stamp, was already localized."""
        with self._lock:
            self.came_late += 1

    def refuse(self, camera: str, reason: str, *, of_tf: bool = False) -> None:
        """Count an image that could not be used, for a reason that somebody can cure."""
        with self._lock:
            self.refused += 1
            self._refusals[camera] = ImageRefusal(f"{camera}: {reason}" if camera else reason, of_tf)

    def done(self, camera: str, result: LocalizationResult, latency_s: float) -> None:
        """Count an image that was processed; `latency_s` from its arrival to its pose."""
        with self._lock:
            self.processed += 1
            self.answered += result.map_from_base is not None
            self.last = result
            self._refusals[camera] = None
            self._latencies.append(latency_s)
            self.load.done(latency_s)
            self.tilt.take(result)

    def forget(self) -> None:
        """Judge by the next image; what was counted stays."""
        with self._lock:
            self.last, self.tilt = None, BaseTilt()
            self._refusals.clear()

    def judgement(self) -> Fault:
        """Judge the last image."""
        with self._lock:
            refusals = self._refused()
            if refusals and not self._another_serves():
                return Fault(ERROR, "; ".join(refusal.text for refusal in refusals))
            if self.last is None:
                return Fault(WARN, "no image processed yet")
            if self.focal.fault():
                return Fault(WARN, self.focal.fault())
            if self.last.off_map:
                return Fault(WARN, "the pose is too far from walkable floor to snap")
            if self.last.status is Status.PREDICTED:
                fault = Fault(OK, self.last.reason or "predicted: nothing is recognized")
            else:
                fault = Fault(OK, "") if self.last.status is Status.TRACKING else Fault(WARN, self.last.reason)
            load = self.load.fault()
            return Fault(WARN, "; ".join(filter(None, (fault.text, load)))) if load else fault

    def _refused(self) -> list[ImageRefusal]:
        return [refusal for refusal in self._refusals.values() if refusal is not None]

    def _another_serves(self) -> bool:
        """Whether a camera does without those whose images are refused."""
        return any(not refusal and camera not in self.silent for camera, refusal in self._refusals.items())

    def input_faults(self) -> list[str]:
        """Return what is wrong with cameras that the robot does without, of tf with any, and with where they sit."""
        with self._lock:
            refused = [refusal.text for refusal in self._refused() if refusal.of_tf or self._another_serves()]
            return [*refused, *filter(None, [self.tilt.fault()])]

    def tf_faults(self) -> list[str]:
        """Return why tf does not tell where cameras sit."""
        with self._lock:
            return [refusal.text for refusal in self._refused() if refusal.of_tf]

    def status(self, name: str, silence: str, values: Mapping[str, object]) -> DiagnosticStatus:
        """Write the line about an active node. `silence`: that no image comes, if so; `values` are appended."""
        judgement = Fault(ERROR, silence) if silence else self.judgement()
        with self._lock:
            latencies_ms = 1e3 * np.array(self._latencies or [np.nan])
            result = self.last
            state = Status.INITIALIZING if result is None else result.status
            if silence and state in (Status.TRACKING, Status.PREDICTED):
                state = Status.LOST
            snap_distance = "" if result is None or result.snap_distance_m is None else f"{result.snap_distance_m:.3f}"
            facts: dict[str, object] = {
                "state": state.value,
                "latency_median_ms": f"{np.median(latencies_ms):.1f}",
                "latency_p95_ms": f"{np.percentile(latencies_ms, 95):.1f}",
                "images_dropped_for_newer": self.dropped,
                "images_too_late": self.came_late,
                "images_refused": self.refused,
                "images_processed": self.processed,
                "images_answered": self.answered,
                "kind": "" if result is None or result.kind is None else result.kind.value,
                "support": "" if result is None else result.support,
                "snap_distance_m": snap_distance,
                **self.focal.values(),
            }
        return merged(name, [judgement], "localized", {**facts, **values})
