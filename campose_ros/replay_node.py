"""campose_replay: play a bag to the localizer over DDS at recorded speed, and write down what it answers.

    campose_replay BAG --out DIR [--reference REF.tum]

writes DIR/pose.tum (snapped) and DIR/pose_raw.tum, each with a .json beside it that `campose evaluate` reads, and
DIR/replay.json: which images were published, which the node processed, states and latencies. Poses are those the node
publishes: of the base, or of the camera where base_from_camera is the identity. With the true poses of the camera, as
`campose replay` takes them, it prints the errors of pose_raw.tum. /clock tells the recorded time: start the localizer
with use_sim_time:=true.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.utilities import remove_ros_args

from campose_core.bag.bag import Bag
from campose_core.bag.file import open_bag
from campose_core.capture.external_poses import check_reference, read_reference
from campose_core.cli.console import exit_code_of, say, show, show_log
from campose_core.errors import LocalizationError, UsageError
from campose_core.evaluation.estimates import Estimates, read_estimates
from campose_core.evaluation.frame_errors import no_overlap
from campose_core.evaluation.metrics import evaluate
from campose_core.evaluation.one_cause import one_cause
from campose_core.evaluation.table import tables
from campose_core.geometry import Pose
from campose_core.pixels.large_buffers import keep_large_buffers
from campose_core.trajectory import Trajectory
from campose_ros.asked_localizer import AskedLocalizer
from campose_ros.endpoints import full_name
from campose_ros.home_paths import from_home
from campose_ros.large_segment import use_large_segment
from campose_ros.lockstep import Lockstep
from campose_ros.player import Player, stamp_ns_of_cdr
from campose_ros.recorder import Recorder, spinning


def options_of(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line without its ROS arguments; exits where it is wrong."""
    parser = argparse.ArgumentParser(prog="campose_replay", description=__doc__.split("\n\n")[0])
    parser.add_argument("bag", type=from_home, help="a ROS 2 bag: folder, .mcap or .db3")
    parser.add_argument("--out", type=from_home, required=True, help="folder for pose.tum, pose_raw.tum, replay.json")
    parser.add_argument(
        "--reference", default="", help="REF.tum, the camera's true poses: print the errors of the base"
    )
    parser.add_argument("--node", default="localizer", help="full name of the localizer node (default: localizer)")
    parser.add_argument("--rate", type=float, default=1.0, help="times recorded speed (default: 1)")
    parser.add_argument("--reliable", action="store_true", help="publish images reliably (default: best effort)")
    parser.add_argument(
        "--lockstep", action="store_true", help="wait for the answer to each image: none is dropped, however slow"
    )
    parser.add_argument("--wait", type=float, default=60.0, help="seconds to wait for the active node (default: 60)")
    options = parser.parse_args(arguments)
    if not 0 < options.rate <= 1000:
        parser.error(f"--rate must be positive, and 1000 at most, got {options.rate}")
    if not 0 <= options.wait <= 1e6:
        parser.error(f"--wait must be 0 to 1e6 seconds, got {options.wait}")
    try:
        options.node = full_name(options.node)
    except UsageError as error:
        parser.error(f"--node: {error}")
    return options


def replay(options: argparse.Namespace) -> None:
    """Play, record, write.

    Raises:
        CaptureError: the bag cannot be read or holds no image.
        TrajectoryError: the reference cannot be read.
        LocalizationError: no active localizer takes the images, or it can use none of them.
    """
    reference, reference_file = None, from_home(options.reference)
    if options.reference:
        check_reference(reference_file)
    node = rclpy.create_node("campose_replay")
    try:
        with open_bag(options.bag) as bag, spinning(node):
            recorder, localizer = Recorder(node, options.node), AskedLocalizer(node, options.node)
            player = Player(node, bag, options.node, reliable=options.reliable)
            player.wait_for_subscriber(options.wait, localizer.require_active)
            recorder.wait_for_node(options.wait)
            if options.reference:  # the camera of a bag with several is the one that the node listens to
                heard = sorted(player.heard_images())
                reference = read_reference(reference_file, heard[0] if len(heard) == 1 else None)
                if apart := of_another_time(bag, heard, reference):
                    say(f"WARNING: {apart}")
            base_from_cam = localizer.base_from_camera() if reference is not None else None
            wait = Lockstep(node, recorder, localizer).wait if options.lockstep else None
            player.play(options.rate, recorder.image_published, wait)
            recorder.wait_until_quiet()
            published, processed = recorder.counts
            if not processed:
                raise LocalizationError(localizer.why_none(published))
        recorder.write(options.out)
    finally:
        node.destroy_node()
    if reference is not None and base_from_cam is not None:
        show(*scored(read_estimates(options.out / "pose_raw.tum"), reference, base_from_cam))


def of_another_time(bag: Bag, topics: Sequence[str], reference: Trajectory) -> str:
    """Say that a reference has no time in common with the images of these topics, see `no_overlap`.

    They last as long as the bag, by its log times: to read all their stamps would take as long as to play them.
    """
    stamps_ns = (stamp_ns_of_cdr(message.data) for message in bag.serialized(topics))
    first_ns = next((stamp_ns for stamp_ns in stamps_ns if stamp_ns > 0), None)  # a driver that is starting has none
    if first_ns is None:
        return ""
    begin_ns, end_ns = bag.span_ns()
    return no_overlap(first_ns, first_ns + end_ns - begin_ns, reference)


def scored(answers: Estimates, reference: Trajectory, base_from_cam: Pose) -> list[str]:
    """Return the lines about the errors of the base against the true path of the camera."""
    truth = reference.moved_by(base_from_cam.inverse(), "base")
    cause = one_cause(answers, truth)
    return [*tables([evaluate(answers, truth)]).splitlines(), *(["", cause] if cause else [])]


def main(args: list[str] | None = None) -> int:
    """Replay as the command line says; returns the exit code."""
    arguments = remove_ros_args(args=sys.argv if args is None else args)[1:]
    options = options_of(arguments)
    keep_large_buffers()
    show_log()
    return exit_code_of("campose_replay", lambda: _replay(options, args))


def _replay(options: argparse.Namespace, args: list[str] | None) -> None:
    use_large_segment()
    rclpy.init(args=args)
    try:
        replay(options)
    except ExternalShutdownException as error:
        raise KeyboardInterrupt from error
    except RuntimeError as error:
        if rclpy.ok():
            raise
        raise KeyboardInterrupt from error  # SIGTERM has shut the context down under a call
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    sys.exit(main())
