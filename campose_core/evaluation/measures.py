"""What is measured of the frames of a recording, by name: shares of frames, and percentiles of errors."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from campose_core.evaluation.frame_errors import FrameErrors

Threshold = tuple[float, float]  # metres and degrees

# Of 7-Scenes (5cm/5deg), of long-term localization (25cm/2deg, 50cm/5deg, 5m/10deg), and of robots between them.
RECALL_THRESHOLDS: tuple[Threshold, ...] = (
    (0.01, 1.0), (0.02, 2.0), (0.05, 5.0), (0.10, 1.0), (0.25, 2.0), (0.50, 5.0), (1.0, 5.0), (5.0, 10.0),
)  # fmt: skip
RECALL_NAME = re.compile(r"(\d+(?:\.\d+)?)(cm|m)/(\d+(?:\.\d+)?)deg")
ERRORS = ("position_m", "rotation_deg", "floor_m", "yaw_deg")
PERCENTILES = {"median": 0.5, "p95": 0.95}  # of which there are intervals


def recall_name(position_m: float, rotation_deg: float) -> str:
    """Name a threshold, metres and degrees, as tables and JSON do: `5cm/5deg`, `5m/10deg`."""
    place = f"{position_m:g}m" if position_m >= 1 else f"{position_m * 100:g}cm"
    return f"{place}/{rotation_deg:g}deg"


def recall_threshold(name: str) -> Threshold | None:
    """Return metres and degrees of `5cm/5deg`; None where the text is no such name."""
    found = RECALL_NAME.fullmatch(name)
    return None if found is None else (float(found[1]) / (100 if found[2] == "cm" else 1), float(found[3]))


def shares(errors: FrameErrors, thresholds: Iterable[Threshold] = RECALL_THRESHOLDS) -> dict[str, NDArray[np.bool_]]:
    """Tell which frames (N,) count in each share: `availability`, `wrong_and_sure`, `recall@...`, `recall_floor@...`.

    recall is in space, recall_floor of x, y and yaw.
    """
    found = {"availability": errors.answered, "wrong_and_sure": errors.answered & ~errors.right}
    for metres, degrees in thresholds:
        name = recall_name(metres, degrees)
        found[f"recall@{name}"] = (errors.position_m <= metres) & (errors.rotation_deg <= degrees)
        found[f"recall_floor@{name}"] = (errors.floor_m <= metres) & (errors.yaw_deg <= degrees)
    return found
