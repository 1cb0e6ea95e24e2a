"""The numbers of a real kitchen, from nothing: build, localize, train; prints one table with times.

    python benchmarks/redkitchen.py --data ../shared/data/redkitchen --out /tmp/redkitchen

The data: 235 mapping frames and 99 query frames of a handheld 640x480 camera (7-Scenes), with their trajectories.
The row `retrieval` is the nearest mapped image: what a pose network has to beat.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from campose_core.cli.console import show_log
from campose_core.evaluation.metrics import Metrics, evaluate
from campose_core.evaluation.run import localize_frames
from campose_core.evaluation.table import metrics_table
from campose_core.frame import Frame
from campose_core.localization.estimators.registry import load_estimator
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory


def campose(*arguments: object) -> float:
    """Run the command line; returns its seconds."""
    print("$ campose", *arguments, flush=True)
    start = time.monotonic()
    subprocess.run([sys.executable, "-m", "campose_core.cli.main", *map(str, arguments)], check=True)
    return time.monotonic() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    scene, data = options.out / "kitchen", options.data
    build_s = campose("build", data / "mapping.mp4", "--scene", scene, "--reference", data / "mapping.tum")
    train = ["--backbone", "efficientnet_lite0", "--epochs", 100]
    train_s = campose("train", scene, "--model", "mapnet", *train)
    campose("benchmark", scene, "--query", data / "query.mp4", "--reference", data / "query.tum")

    report = json.loads((scene / "sfm" / "report.json").read_text())
    print(
        f"\nbuild {build_s:.0f} s; frames with a pose {report['posed']} of {report['frames']}; training {train_s:.0f} s"
    )
    print("\nmapnet on the frames it was trained on:")
    print(metrics_table([evaluate_on_train_frames(Scene.open(scene), "mapnet")]))


def evaluate_on_train_frames(scene: Scene, name: str) -> Metrics:
    rows = scene.posed_frames("train")
    frames = (
        (Frame(row.stamp_ns, np.asarray(Image.open(scene.frame_path(row))), "", row.name), scene.cameras[row.camera])
        for row in rows
    )
    truth = Trajectory.from_poses([row.stamp_ns for row in rows], [row.map_from_cam for row in rows])
    return evaluate(localize_frames(load_estimator(scene, name), frames), truth)


if __name__ == "__main__":
    show_log()
    main()
