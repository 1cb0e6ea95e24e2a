"""`campose replay BAG --scene SCENE --out DIR`"""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.bag.bag import Bag
from campose_core.bag.file import open_bag
from campose_core.capture.external_poses import read_reference
from campose_core.capture.recording import open_recording
from campose_core.capture.sources.bag import BagRecording
from campose_core.cli.console import say, show
from campose_core.cli.numbers import FiniteNumber, pose_numbers
from campose_core.cli.outputs import check_folder
from campose_core.cli.query import add_query_arguments, query_camera
from campose_core.errors import UsageError
from campose_core.evaluation.frame_errors import no_overlap, of_another_time
from campose_core.evaluation.metrics import evaluate
from campose_core.evaluation.one_cause import one_cause
from campose_core.evaluation.run import frames_with_camera
from campose_core.evaluation.table import tables
from campose_core.floorplan.scene_floor import walkable_of, why_not_snapped
from campose_core.frame import Recording
from campose_core.geometry import Pose
from campose_core.localization.estimators.registry import ESTIMATORS, load_estimator
from campose_core.localization.localizer import Localizer
from campose_core.motion.imu_motion import imu_motion
from campose_core.replay.bag_session import BagSession
from campose_core.replay.recording import Outcomes, Step, replay_bag, replay_frames, require_topics, true_base
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory
from campose_core.visualization.layout import LAYOUT, how_to_look, write_layout
from campose_core.visualization.replay_bag import ReplayBag, new_replay_bag

IN_CAMERA = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the recording, the scene, the folder for the answers, and what the localizer may use beside images."""
    parser.add_argument("recording", help="bag, video file, or folder of images")
    parser.add_argument("--scene", required=True, help="scene folder")
    parser.add_argument(
        "--out", required=True, type=Path, help="folder for pose.tum, pose_raw.tum, their summaries, and bag/"
    )
    parser.add_argument("--estimator", default="structure", help=f"{', '.join(ESTIMATORS.names())}")
    add_query_arguments(parser)
    parser.add_argument(
        "--imu",
        metavar="TOPIC",
        type=str | None,
        help="predict by the IMU on this topic of the bag (/tf_static has its place)",
    )
    parser.add_argument("--odom", metavar="TOPIC", type=str | None, help="use the odometry on this topic of the bag")
    parser.add_argument(
        "--initialpose", metavar="TOPIC", type=str | None, help="start over at the poses on this topic of the bag"
    )
    parser.add_argument(
        "--base-from-camera", type=FiniteNumber, nargs=7, metavar=("X", "Y", "Z", "QX", "QY", "QZ", "QW"),
        default=IN_CAMERA, help="where the camera sits on the base; by default it is there",
    )  # fmt: skip
    parser.add_argument(
        "--base-frame", metavar="FRAME", type=str | None, help="ask the tf of the bag where the camera sits on FRAME"
    )
    parser.add_argument(
        "--reference",
        metavar="REF.tum",
        type=Path | None,
        help="true poses of the camera, or the bag that knows them: print the errors of the base",
    )
    parser.add_argument(
        "--max-rate-hz",
        type=FiniteNumber,
        default=0.0,
        help="localize at most so many images of a bag a second; 0: all",
    )
    parser.add_argument("--poses-only", action="store_true", help="write no bag/, the recording with the answers")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(options: Namespace) -> None:
    """Localize the recording as the node would, and write its poses and what viewers show; prints a summary."""
    check_folder("--out", options.out)
    scene = Scene.open(options.scene)
    numbers = pose_numbers("--base-from-camera", options.base_from_camera)
    mounting = Pose.from_quat_xyzw(numbers[3:], numbers[:3])
    reference = read_reference(options.reference, options.topic) if options.reference else None
    recording = open_recording(options.recording, options.topic)
    _check(options, scene, recording)
    if reference is not None and isinstance(recording, BagRecording):
        stamps_ns = recording.stamps.stamps_ns[recording.stamps.stamps_ns > 0]  # 0 where there is none
        if len(stamps_ns) and (apart := no_overlap(int(stamps_ns.min()), int(stamps_ns.max()), reference)):
            say(f"replay: WARNING: {apart}")
    walkable = walkable_of(scene)
    motion = imu_motion(recording, options.imu, mounting) if options.imu else None
    estimator = load_estimator(scene, options.estimator)
    localizer = Localizer(estimator, mounting, walkable, motion=motion, scale=scene.scale)
    outcomes, started = Outcomes(), time.perf_counter()
    truths: dict[int, Pose] = {}
    with ExitStack() as stack:
        bag = stack.enter_context(open_bag(Path(options.recording))) if isinstance(recording, BagRecording) else None
        steps = _steps(options, scene, recording, bag, localizer, mounting)
        copy: ReplayBag | None = None
        if not options.poses_only:
            copy = stack.enter_context(new_replay_bag(options.out / "bag", scene, walkable, bag, reference))
        for step in steps:
            if step.answer is not None:
                outcomes.add(step.answer.result)
                truth = true_base(reference, step.answer)
                if truth is not None:
                    truths[step.answer.frame.stamp_ns] = truth
            if copy is not None:
                copy.write(step)
    outcomes.stamps = str(recording.describe().get("stamps", ""))
    raw, snapped = outcomes.write(options.out)
    wall_s = time.perf_counter() - started
    recorded_s = (raw.outcomes[-1].stamp_ns - raw.outcomes[0].stamp_ns) * 1e-9
    metrics = []
    if reference is not None:
        if not truths:
            raise of_another_time(raw, reference)
        of_base = Trajectory.from_poses(list(truths), list(truths.values()))
        metrics = [evaluate(one, of_base) for one in (raw, snapped)]
    if options.json:
        summary = {name: value for name, value in raw.summary().items() if name != "per_frame"}
        show(
            json.dumps(
                {**summary, "recorded_s": recorded_s, "wall_s": wall_s, "metrics": [m.to_dict() for m in metrics]}
            )
        )
        return
    states = ", ".join(f"{count} {state}" for state, count in raw.statuses.items())
    for line in filter(None, (scene.scale.caution(), why_not_snapped(scene))):
        say(f"replay: {line}")
    show(f"{options.out}: {len(raw.trajectory)} of {len(raw.outcomes)} frames answered ({states})")
    show(f"{recorded_s:.1f} s recorded, replayed in {wall_s:.1f} s: {recorded_s / wall_s:.1f} times real time")
    if metrics:
        show(*tables(metrics).splitlines())
        if cause := one_cause(raw, of_base):
            show("", cause)
    if copy is not None:
        layout = write_layout(options.out / LAYOUT, scene, walkable)
        show(*how_to_look(f"Open local file, {options.out / 'bag' / 'bag.mcap'}", layout))


def _check(options: Namespace, scene: Scene, recording: Recording) -> None:
    is_bag = isinstance(recording, BagRecording)
    for name in ("imu", "odom", "initialpose", "base_frame", "max_rate_hz"):
        if getattr(options, name) and not is_bag:
            raise UsageError(f"{options.recording} is not a bag: leave out --{name.replace('_', '-')}")
    if options.base_frame and options.base_from_camera != IN_CAMERA:
        raise UsageError("--base-frame and --base-from-camera both say where the camera sits: give one")
    if options.imu and not scene.scale.is_known:
        raise UsageError(f"--imu measures metres, and {scene.path} has none ({scene.scale.in_words()}): leave it out")
    if options.base_frame and options.imu:
        raise UsageError("--imu needs --base-from-camera instead of --base-frame")
    if not options.poses_only and Path(options.recording).resolve() == (options.out / "bag").resolve():
        raise UsageError(f"{options.out / 'bag'} would replace the recording: choose another --out")


def _steps(
    options: Namespace, scene: Scene, recording: Recording, bag: Bag | None, localizer: Localizer, mounting: Pose
) -> Iterator[Step]:
    camera = query_camera(options, options.recording)
    if bag is None or not isinstance(recording, BagRecording):
        return replay_frames(frames_with_camera(scene, recording, camera, "replay"), localizer, mounting)
    require_topics(bag, odometry=options.odom, initialpose=options.initialpose)
    session = BagSession(
        scene, recording, localizer, mounting, options.base_frame, camera, options.odom, options.initialpose,
        options.imu, options.max_rate_hz,
    )  # fmt: skip
    return replay_bag(bag, recording, session)
