"""What became of an image, as a message that viewers plot."""

from __future__ import annotations

from typing import Any

from campose_core.bag.ros_messages import OK, WARN, RosMessages
from campose_core.localization.result import LocalizationResult, Status


def localization_status(ros: RosMessages, name: str, result: LocalizationResult, latency_s: float) -> Any:
    """Make a DiagnosticArray. The header stamp is the image's; `latency_s` from its arrival to its pose."""
    believed = result.map_from_base is not None and not result.off_map
    text = result.reason or ("too far from walkable floor to snap" if result.off_map else "pose published")
    values = {
        "state": result.status.value,
        "answered": result.map_from_base is not None,
        "off_map": result.off_map,
        "kind": "" if result.kind is None else result.kind.value,
        "support": result.support,
        "scale": result.scale.basis.value,
        "latency_s": f"{latency_s:.6f}",
        "estimate_s": f"{result.latency_s:.6f}",
    }
    if result.snap_distance_m is not None:  # left out, since viewers plot an empty text as 0
        values["snap_distance_m"] = f"{result.snap_distance_m:.4f}"
    return ros.diagnostics(result.stamp_ns, name, OK if believed else WARN, text, values)


def localization_diagnosis(ros: RosMessages, name: str, result: LocalizationResult, latency_s: float) -> Any:
    """Make what a node says of itself on /diagnostics once a second, as far as its last image tells it."""
    tracks = result.status is Status.TRACKING and not result.off_map
    text = "localized" if tracks else result.reason or "the pose is too far from walkable floor to snap"
    values = {"state": result.status.value, "latency_s": f"{latency_s:.6f}", "support": result.support}
    return ros.diagnostics(result.stamp_ns, f"{name}: localization", OK if tracks else WARN, text, values)
