"""`campose replay BAG --scene SCENE --out DIR`"""

import json
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.capture.bag_poses import read_poses
from campose_core.capture.recording import open_recording
from campose_core.cli.query import add_query_arguments, query_camera
from campose_core.evaluation.replay import replay, write_replay
from campose_core.geometry import Pose
from campose_core.localization.imu_motion import imu_motion
from campose_core.localization.load import load_estimator
from campose_core.localization.localizer import Localizer
from campose_core.scene import Scene
from campose_core.walkable import load_walkable


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("recording", help="bag, video file, or folder of pictures")
    parser.add_argument("--scene", required=True, help="scene folder")
    parser.add_argument("--out", required=True, type=Path, help="folder for pose.tum, pose_raw.tum and their summaries")
    parser.add_argument("--estimator", default="structure", help="structure, hybrid, retrieval, or a trained model")
    add_query_arguments(parser)
    parser.add_argument(
        "--imu",
        metavar="TOPIC",
        type=str | None,
        help="predict by the IMU on this topic of the bag (/tf_static has its place)",
    )
    parser.add_argument("--odom", metavar="TOPIC", type=str | None, help="use the odometry on this topic of the bag")
    parser.add_argument(
        "--base-from-camera", type=float, nargs=7, metavar=("X", "Y", "Z", "QX", "QY", "QZ", "QW"),
        default=[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], help="where the camera sits on the base; by default it is there",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(options: Namespace) -> None:
    scene = Scene.open(options.scene)
    mounting = Pose.from_quat_xyzw(options.base_from_camera[3:], options.base_from_camera[:3])
    walkable = load_walkable(scene.floor_yaml.parent)
    recording = open_recording(options.recording, options.topic)
    motion = imu_motion(recording, options.imu, mounting) if options.imu else None
    localizer = Localizer(load_estimator(scene, options.estimator), mounting, walkable, motion=motion)
    odometry = read_poses(options.recording, options.odom) if options.odom else None
    raw = write_replay(options.out, replay(scene, recording, localizer, query_camera(options), odometry))
    summary = {name: value for name, value in raw.summary().items() if name != "per_frame"}
    if options.json:
        print(json.dumps(summary))
        return
    states = ", ".join(f"{count} {state}" for state, count in summary["statuses"].items())
    print(f"{options.out}: {summary['answered']} of {summary['frames']} frames answered ({states})")
