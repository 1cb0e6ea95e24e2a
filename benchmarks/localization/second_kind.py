"""Images by SIFT alone, and by SIFT and the second kind of landmarks that the scene has.

    python -m benchmarks.localization.second_kind SCENE RECORDING... [--camera FILE]

SCENE: mapped with `campose map --matching strong`, or so that it took that by itself, and aligned. Each image is looked
at by itself, without a prior. A line for each recording: how many images are answered, with how many landmarks in the
median, and the processor's time for an image (median and most). Of a recording of elsewhere no image should be.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from campose_core.capture.camera_file import read_camera_file
from campose_core.capture.recording import open_recording
from campose_core.cli.console import show_log
from campose_core.evaluation.run import frames_with_camera
from campose_core.landmark_map.aligned import SECOND, aligned_landmarks
from campose_core.landmark_map.intrinsics import RefinedCameras
from campose_core.localization.calibration import CovarianceCalibration
from campose_core.localization.estimators.structure import StructureEstimator
from campose_core.localization.second_kind import SecondKind
from campose_core.scene.scene import Scene


def ways(scene: Scene) -> dict[str, StructureEstimator]:
    made = aligned_landmarks(scene), RefinedCameras(scene), CovarianceCalibration.load(scene)
    return {"SIFT": StructureEstimator(*made), "SIFT, second": StructureEstimator(*made, SecondKind.load(scene))}


def row(name: str, way: str, supports: Sequence[int], seconds: Sequence[float]) -> str:
    answered = [support for support in supports if support]
    landmarks = f"{np.median(answered):.0f}" if answered else "-"
    return (
        f"{name:28}{way:14}{len(answered):5} of {len(supports):4}{landmarks:>11}"
        f"{np.median(seconds):10.2f} s{max(seconds):8.2f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", type=Path)
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--camera", type=Path, help="of the recordings; else what they know, or the scene's")
    options = parser.parse_args()
    scene = Scene.open(options.scene)
    if not (scene.sfm_dir / SECOND).is_file():
        parser.error(f"{scene.path} has no sfm/{SECOND}")
    camera = read_camera_file(options.camera) if options.camera else None
    cv2.setNumThreads(1)
    compared = ways(scene)
    print(f"{'recording':28}{'way':14}{'answered':>13}{'landmarks':>11}{'median':>12}{'most':>10}")
    for path in options.recordings:
        frames = list(frames_with_camera(scene, open_recording(path), camera, ""))
        for way, estimator in compared.items():
            supports, seconds = [], []
            for frame, of_frame in frames:
                start = time.process_time()
                found = estimator.estimate(frame, of_frame)
                seconds.append(time.process_time() - start)
                supports.append(found[0].support if found else 0)
            print(row(path.name, way, supports, seconds), flush=True)


if __name__ == "__main__":
    show_log()
    main()
