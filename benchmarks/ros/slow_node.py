"""A localizer node, or with PLAIN=1 the plain one, whose estimator takes 50 ms for each image, all told, and which
writes how old each image was when its estimate began (seconds, one a line) into the file AGES."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from campose_core.camera import Camera
from campose_core.frame import Frame
from campose_core.localization.estimators import registry
from campose_core.localization.estimators.base import PoseEstimate, PosePrior
from campose_core.scene.scene import Scene

ESTIMATE_S = 0.05


class SlowEstimator:
    """What it wraps, and other work of a processor until 50 ms are over."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self.name = estimator.name
        self._ages = open(os.environ["AGES"], "w", buffering=1)  # noqa: SIM115
        self._spent_s = 0.0  # on the last image, after its estimate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._estimator, name)

    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> Sequence[PoseEstimate]:
        self._ages.write(f"{time.time() - frame.stamp_ns * 1e-9:.6f}\n")
        end = time.perf_counter() + ESTIMATE_S - self._spent_s
        self._spent_s = 0.0
        found: Sequence[PoseEstimate] = self._estimator.estimate(frame, camera, prior)
        while time.perf_counter() < end:
            hashlib.sha256(frame.image[:120])  # 0.1 ms without Python's lock, as most of what an estimator does
        return found

    def refresh(self) -> None:
        """A node does here what the next estimate would have to do."""
        begin = time.perf_counter()
        self._estimator.refresh()
        self._spent_s = time.perf_counter() - begin


def main() -> int:
    load_estimator = registry.load_estimator

    def slow(scene: Scene, name: str, *others: Any) -> Any:
        return SlowEstimator(load_estimator(scene, name, *others))

    registry.load_estimator = slow
    if os.environ.get("PLAIN"):
        from benchmarks.ros import plain_node

        return plain_node.main()
    from campose_ros import localizer_node

    return localizer_node.main()


if __name__ == "__main__":
    sys.exit(main())
