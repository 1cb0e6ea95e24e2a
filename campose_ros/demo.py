"""campose_demo: the main job from end to end on a rendered floor, with the real node over real DDS.

    campose_demo OUT
    campose_demo OUT --train

OUT/world holds the recordings and the truth, OUT/scene what was built from the mapping drive, OUT/replay what the node
answered on the later drive, OUT/replayed what a replay without ROS says, with the drive and all answers as a bag for
Foxglove, OUT/report the page, OUT/drive.webp some seconds of the drive to look at. World and scene are kept when they
are there already. With --train a pose network is trained as well, and judged beside the nearest mapped image.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image as PilImage

from campose_core.capture.recording import open_recording
from campose_core.cli.console import exit_code_of, say, show, show_log
from campose_core.cli.main import main as campose
from campose_core.errors import LocalizationError
from campose_core.evaluation.estimates import Estimates, read_estimates
from campose_core.evaluation.metrics import Metrics, evaluate
from campose_core.evaluation.report import write_report
from campose_core.evaluation.run import localize_recording
from campose_core.evaluation.table import tables
from campose_core.floor import FloorMap
from campose_core.frame import Image
from campose_core.geometry import Pose
from campose_core.localization.estimators.registry import load_estimator
from campose_core.scene.scene import Scene
from campose_core.simulation.drive import BASE_FROM_CAM
from campose_core.simulation.simulate import simulate
from campose_core.simulation.world import SIZES
from campose_core.trajectory import read_tum
from campose_core.visualization.layout import how_to_look, layout_beside
from campose_core.visualization.moving_picture import write_moving_picture
from campose_ros.home_paths import from_home

# On this machine only, in a domain of this process (1 to 101 are safe): no robot and no other demo shall hear of it.
DDS = {"ROS_DOMAIN_ID": str(1 + os.getpid() % 101), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
MOVING_S = 14.0  # from the middle of the later drive
# Views from beside the path are what a network needs to beat the nearest image: with turned ones alone it is worse.
VIEWS = ("--train.views=20", "--train.view_shift_m=0.5")
LEARNED = ("--model=mapnet", "--train.backbone=efficientnet_lite0", *VIEWS, "--train.epochs=100")


def demo(out: Path, size: str = "demo", with_network: bool = False) -> None:
    """Do all of it. out: the folder for everything. size: of the rendered floor, one of SIZES.

    Raises:
        CamposeError: a step failed; what the steps before it made stays.
    """
    start = time.monotonic()

    def step(title: str) -> None:
        say("")
        say(f"[{time.monotonic() - start:4.0f} s] {title}")

    world, scene_path, answers = out / "world", out / "scene", out / "replay"
    step("1 of 6: render a furnished floor, a mapping drive, and a later drive on a different path")
    simulate(world, size, with_videos=False)
    step("2 of 6: build the scene from the mapping drive" + ", and train a pose network on it" * with_network)
    build = ["build", str(world / "mapping.bag"), f"--scene={scene_path}", f"--map={world / 'floor' / 'map.yaml'}"]
    if campose([*build, f"--reference={world / 'mapping.tum'}", "--fps=5", *LEARNED * with_network]) != 0:
        raise LocalizationError("the scene could not be built, see above")
    step("3 of 6: start the node, and play the later drive to it over DDS at recorded speed")
    play_to_node(world / "later.bag", scene_path, answers, out / "node.log")
    step("4 of 6: replay the later drive without ROS, and write it down for Foxglove beside the truth")
    later_bag, mounted = str(world / "later.bag"), "--base-frame=base_link"
    replay = ["replay", later_bag, f"--scene={scene_path}", f"--out={out / 'replayed'}", mounted]
    if campose([*replay, f"--reference={world / 'later.tum'}"]) != 0:
        raise LocalizationError("the replay without ROS failed, see above")
    step("5 of 6: the same drive, each image by itself, to the estimators that the node does not use by default")
    scene, later = Scene.open(scene_path), open_recording(world / "later.bag")
    names = ["retrieval", "mapnet"] if with_network else ["retrieval"]
    others = [localize_recording(scene, later, load_estimator(scene, name)) for name in names]
    step("6 of 6: score against the truth, and draw")
    report(out, scene, others)
    say("")
    say(f"[{time.monotonic() - start:4.0f} s] done")


def play_to_node(bag: Path, scene: Path, out: Path, log: Path, rate: float = 1.0) -> None:
    """Run the localizer in a process of its own, and the replayer in another, until the bag ends.

    rate: times recorded speed.

    Raises:
        LocalizationError: the node ended, or nothing was answered; its log is named.
    """
    mounting = [float(v) for v in (*BASE_FROM_CAM.translation, *BASE_FROM_CAM.quat_xyzw)]
    parameters = {
        "scene": scene,
        "image_topic": "/camera/image_raw",
        "image_transport": "compressed",
        "camera_info_topic": "/camera/camera_info",
        "base_from_camera": mounting,
        "use_sim_time": "true",
    }
    options = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    environment = {**os.environ, **DDS}
    with open(log, "wb") as log_file:
        node = subprocess.Popen(
            [sys.executable, "-m", "campose_ros.localizer_node", "--ros-args", *options],
            stdout=log_file,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    try:
        replayed = subprocess.run(
            [sys.executable, "-m", "campose_ros.replay_node", str(bag), "--out", str(out), "--rate", str(rate)],
            env=environment,
            check=False,
        )
        if replayed.returncode != 0 or node.poll() is not None:
            raise LocalizationError(f"the replay failed; the node's log is {log}")
    finally:
        node.send_signal(signal.SIGINT)
        try:
            node.wait(10)
        except subprocess.TimeoutExpired:
            node.kill()


def report(out: Path, scene: Scene, others: Sequence[Estimates]) -> None:
    """Print the table on stdout, and write the report page."""
    truth = read_tum(out / "world" / "later.tum")
    later = open_recording(out / "world" / "later.bag")
    jpegs = {frame.stamp_ns: frame.jpeg for frame in later.frames()}
    node = _of_camera(read_estimates(out / "replay" / "pose_raw.tum"), "structure, live node")
    snapped = _of_camera(read_estimates(out / "replay" / "pose.tum"), "snapped").trajectory
    estimates = [node, *others]
    rows = [evaluate(one, truth) for one in estimates]
    show(*tables(rows).splitlines())
    floor = FloorMap.load(scene.floor_yaml)

    def image_of(stamp_ns: int) -> Image | None:
        jpeg = jpegs.get(stamp_ns)
        return None if jpeg is None else np.asarray(PilImage.open(io.BytesIO(jpeg)))

    facts = {
        "Drive": f"{len(jpegs)} images, of which the node took {rows[0].frames} and answered {rows[0].answered}",
        "Scene": f"{len(scene.posed_frames())} mapped frames",
    }
    if len(others) > 1:
        facts["Network"] = _verdict(*rows[1:])
        show("", facts["Network"])
    drive_s = 1e-9 * float(truth.stamps_ns[-1] - truth.stamps_ns[0])
    start_s = max(0.0, (drive_s - MOVING_S) / 2)
    write_moving_picture(out / "drive.webp", out / "replayed" / "bag", floor, start_s, MOVING_S)
    page = write_report(
        out / "report", "campose demo: the later drive", estimates, truth, floor, snapped, image_of, facts
    )
    show("", f"Report: {page}", f"Moving picture, for a browser: {out / 'drive.webp'}")
    replayed = out / "replayed" / "bag" / "bag.mcap"
    show(*how_to_look(f"Open local file, {replayed}", layout_beside(replayed)))


def _verdict(nearest_image: Metrics, network: Metrics) -> str:
    """Say what the network is worth, beside the nearest mapped image."""
    both = (
        f"median {100 * network.position_m.median:.1f} cm against {100 * nearest_image.position_m.median:.1f} cm of "
        f"the nearest mapped image; {network.wrong_and_sure:.1%} wrong and sure against "
        f"{nearest_image.wrong_and_sure:.1%}"
    )
    if network.position_m.median < nearest_image.position_m.median:
        return f"{network.estimator} beats the nearest image: {both}"
    return (
        f"{network.estimator} does not beat the nearest image: {both}. One drive is little to learn from, and its "
        "nearest image is near; docs/results.md has what more views, odometry and a second drive bring"
    )


def _of_camera(of_base: Estimates, name: str) -> Estimates:
    """Move the answers from the robot's base, which the node tells, to the camera, of which the truth is."""

    def moved(map_from_base: Pose | None) -> Pose | None:
        return None if map_from_base is None else map_from_base * BASE_FROM_CAM

    outcomes = tuple(o._replace(map_from_cam=moved(o.map_from_cam)) for o in of_base.outcomes)
    return Estimates(name, outcomes, scale=of_base.scale)


def main(args: Sequence[str] | None = None) -> int:
    """Run the demo as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="campose_demo", description=__doc__.split("\n\n")[0])
    parser.add_argument("out", type=from_home, help="folder for everything")
    parser.add_argument("--size", choices=SIZES, default="demo", help="small: one room, in a minute")
    parser.add_argument("--train", action="store_true", help="a pose network too: needs the extra train, and minutes")
    options = parser.parse_args(args)
    show_log()
    return exit_code_of("campose_demo", lambda: demo(options.out, options.size, options.train))


if __name__ == "__main__":
    sys.exit(main())
