"""A localizer node, or with PLAIN=1 the plain one, whose estimator takes 50 ms of processor time for each image, and
which writes how old each image was when its estimate began (seconds, one a line) into the file AGES."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from campose_core.camera import Camera
from campose_core.capture.frame import Frame
from campose_core.localization import load
from campose_core.localization.estimator import PoseEstimate, PosePrior
from campose_core.mapping.features import SiftExtractor
from campose_core.scene import Scene

ESTIMATE_S = 0.05


class SlowEstimator:
    """What it wraps, and extraction of features until 50 ms are over."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self.name = estimator.name
        self._extract = SiftExtractor()
        self._ages = open(os.environ["AGES"], "w", buffering=1)  # noqa: SIM115

    def __getattr__(self, name: str) -> Any:
        return getattr(self._estimator, name)

    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> Sequence[PoseEstimate]:
        self._ages.write(f"{time.time() - frame.stamp_ns * 1e-9:.6f}\n")
        end = time.perf_counter() + ESTIMATE_S
        found: Sequence[PoseEstimate] = self._estimator.estimate(frame, camera, prior)
        while time.perf_counter() < end:
            self._extract(frame.image[:120, :160])
        return found


def main() -> int:
    load_estimator = load.load_estimator

    def slow(scene: Scene, name: str, *others: Any) -> Any:
        return SlowEstimator(load_estimator(scene, name, *others))

    load.load_estimator = slow
    if os.environ.get("PLAIN"):
        from benchmarks.ros import plain_node

        return plain_node.main()
    from campose_ros import localizer_node

    return localizer_node.main()


if __name__ == "__main__":
    sys.exit(main())
