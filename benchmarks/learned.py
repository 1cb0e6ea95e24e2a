"""The learned family on a real kitchen and on a rendered floor, beside the nearest mapped image.

    python -m benchmarks.learned --data ../shared/data/redkitchen --out /tmp/learned

All models are trained on the train split of the scene alone, and so is the retrieval row. Queries on the floor:
`later`, another path through the same rooms, and `beside`, the mapped path moved half a metre aside, where there is
room. `second` is a further drive that nobody labelled. Half an hour on two cores; what is there is not made again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from benchmarks.localization.material import campose, prepare
from benchmarks.localization.worlds import drawn
from campose_core.bag.writer import write_bag
from campose_core.capture.recording import open_recording
from campose_core.cli.console import show_log
from campose_core.evaluation.metrics import Metrics, evaluate
from campose_core.evaluation.run import localize_recording
from campose_core.evaluation.table import degrees_text, metres_text
from campose_core.frame import Frame
from campose_core.geometry import Pose, pose_error
from campose_core.learning.checkpoint import load
from campose_core.learning.material import material_of_splits, pair_rows
from campose_core.learning.model import to_poses
from campose_core.learning.visual_odometry import VisualOdometry
from campose_core.localization.estimators.pose_graph import recorded_odometry
from campose_core.localization.estimators.registry import load_estimator
from campose_core.localization.estimators.retrieval import RetrievalEstimator
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.simulation.building import build_world
from campose_core.simulation.drive import BASE_FROM_CAM, Stop, drifting_odometry, drive_by_way_of
from campose_core.trajectory import Trajectory, read_tum, write_tum
from campose_core.walkable import load_walkable

BACKBONE = ["--backbone", "efficientnet_lite0"]
PLAIN = ["--views", 0, "--grid", 1, "--anchors", 1]  # the published head: averaged features, one regression
VIEWS = ["--views", 20, "--view-shift-m", 0.5]
BESIDE_M = 0.5
SECOND: list[Stop] = [
    ("corridor", 0.3, 0.5), "west door", ("west", 0.38, 0.5), ("west", 0.66, 0.48), "middle door",
    ("east", 0.32, 0.5), ("east", 0.62, 0.5), "east door", ("corridor", 0.7, 0.5), "north east door",
    ("north", 0.62, 0.52), ("north", 0.4, 0.54), "north west door", ("corridor", 0.5, 0.4),
]  # fmt: skip


def models(second: Path) -> dict[str, list[object]]:
    """Options of `campose train`, by the name of the model."""
    return {
        "posenet-plain": PLAIN,
        "linear": [],
        "posenet": [],
        "mapnet-no-views": ["--views", 0],
        "mapnet-turned-views": ["--views", 20, "--view-shift-m", 0],
        "mapnet-8-views": [],
        "mapnet": VIEWS,
        "mapnet-walkable": [*VIEWS, "--walkable-weight", 2.0],
        "mapnet+": ["--start-from", "mapnet", "--unlabelled", f"[{second}]", "--epochs", 30, "--learning-rate", 1e-4],
    }


def row(name: str, metrics: Metrics, more: str = "") -> str:
    position, rotation = metrics.position_m, metrics.rotation_deg
    return (
        f"{name:24} {metres_text(position.median):>8} / {degrees_text(rotation.median):>9}   p95 "
        f"{metres_text(position.p95):>8} / {degrees_text(rotation.p95):>10}{more}"
    )


def score(scene: Scene, names: Sequence[str], query: Path, truth: Path) -> dict[str, Metrics]:
    """Each estimator on a recording; `retrieval` among the train frames, as the models."""
    recording, reference, found = open_recording(query), read_tum(truth), {}
    walkable = load_walkable(scene.floor_yaml.parent)
    for name in names:
        if name == "retrieval":
            estimator = RetrievalEstimator.load(scene, split="train")
        else:
            estimator = load_estimator(scene, name, recorded_odometry(recording) if name.endswith("+pgo") else None)
        estimates = localize_recording(scene, recording, estimator)
        found[name] = evaluate(estimates, reference)
        more = ""
        if walkable is not None:
            poses = [outcome.map_from_cam for outcome in estimates.outcomes if outcome.map_from_cam is not None]
            off = np.mean([not walkable.is_walkable(*pose.translation[:2]) for pose in poses])
            more = f"   off the walkable floor {100 * off:.1f} %"
        print(row(name, found[name], more), flush=True)
    return found


def beside(world_dir: Path, out: Path) -> tuple[Path, Path]:
    """The mapped path, BESIDE_M to its left or right, where a robot has room: a bag and its truth."""
    bag, truth = out / "beside.bag", out / "beside.tum"
    if not bag.is_dir():
        world = build_world("demo", 0)
        camera = open_recording(world_dir / "mapping.bag").camera
        assert camera is not None
        walkable = load_walkable(out / "demo" / "floor")
        assert walkable is not None
        mapped, stamps, poses = read_tum(world_dir / "mapping.tum"), [], []
        for number, (stamp_ns, pose) in enumerate(mapped):
            for side in (1.0, -1.0) if number % 3 == 0 else ():
                moved = pose.translation + side * BESIDE_M * pose.rotation.apply([1.0, 0.0, 0.0])
                if walkable.is_walkable(*moved[:2]):
                    stamps.append(stamp_ns)
                    poses.append(type(pose)(pose.rotation, moved))
                    break
        images = drawn(out / "beside.npy", world, camera, poses)
        frames = [Frame(s, image, "camera_optical_frame", str(s)) for s, image in zip(stamps, images, strict=True)]
        write_tum(truth, Trajectory.from_poses(stamps, poses))
        write_bag(bag, frames, camera)
    return bag, truth


def second_drive(world_dir: Path, out: Path) -> Path:
    """A drive on a path of its own, with odometry that drifts by 2 % and no truth in the bag."""
    bag = out / "second.bag"
    if not bag.is_dir():
        world = build_world("demo", 0)
        camera = open_recording(world_dir / "mapping.bag").camera
        assert camera is not None
        bases = drive_by_way_of(world, SECOND, rate_hz=5.0)
        cameras = bases.moved_by(BASE_FROM_CAM)
        images = drawn(out / "second.npy", world, camera, [pose for _, pose in cameras])
        stamps = [int(stamp) for stamp in bases.stamps_ns]
        frames = [Frame(s, image, "camera_optical_frame", str(s)) for s, image in zip(stamps, images, strict=True)]
        write_bag(bag, frames, camera, drifting_odometry(bases), BASE_FROM_CAM)
    return bag


def menet(scene: Scene, query: Path, truth: Path) -> None:
    """MeNet on pairs of test frames beside no motion and the mean motion, and its drift over the query."""
    model, frames = load(scene.models_dir / "menet"), scene.posed_frames("test")
    (test,) = material_of_splits(scene, [frames], model.network_input, with_depth=False)
    rows = [[a, b] for a, b in pair_rows(test.sources, 1, False).tolist() if follows(frames[a], frames[b])]
    pairs = [test.poses[a].inverse() * test.poses[b] for a, b in rows]
    with torch.inference_mode():
        found = to_poses(model.network(torch.from_numpy(test.images[np.array(rows)])))
    mean = Pose(
        Rotation.concatenate([pair.rotation for pair in pairs]).mean(), np.mean([p.translation for p in pairs], axis=0)
    )
    print(f"\n== menet: {len(pairs)} pairs of test frames")
    for name, answers in (("no motion", [Pose.identity()] * len(pairs)), ("mean motion", [mean] * len(pairs)),
                          ("menet", found)):  # fmt: skip
        errors = np.array([pose_error(a, b) for a, b in zip(answers, pairs, strict=True)])
        metres, degrees = np.median(errors[:, 0]), np.degrees(np.median(errors[:, 1]))
        print(f"{name:24} {100 * metres:5.1f} cm / {degrees:5.2f} deg")
    odometry, reference, at = VisualOdometry.load(scene), read_tum(truth), Pose.identity()
    recording = open_recording(query)
    assert recording.camera is not None
    for frame in recording.frames():
        moved = odometry.moved(frame.stamp_ns, frame.image, recording.camera)
        at = at if moved is None else at * moved[0]
    true = reference.pose(0).inverse() * reference.pose(len(reference) - 1)
    metres, radians = pose_error(at, true)
    length = float(np.linalg.norm(np.diff(reference.positions, axis=0), axis=1).sum())
    print(f"drift over {length:.1f} m: {metres:.2f} m ({100 * metres / length:.0f} %), {np.degrees(radians):.0f} deg")


def follows(before: SceneFrame, after: SceneFrame) -> bool:
    """Whether two frames are neighbours in their recording: between test stretches lie others."""
    return 0 < after.stamp_ns - before.stamp_ns < 0.3e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the kitchen's mapping and query recordings")
    parser.add_argument("--out", type=Path, required=True, help="folder for scenes and results")
    options = parser.parse_args()
    material, out = prepare(options.data, options.out), options.out
    second, (bag, truth) = second_drive(material.world, out), beside(material.world, out)
    for place in material.places:
        campose("split", place.scene.path, "--val", 0.1, "--test", 0.1)
        demo = place.name == "demo"
        chosen = {n: o for n, o in models(second).items() if demo or n not in ("mapnet-walkable", "mapnet+")}
        for name, told in chosen.items():
            campose("train", place.scene.path, "--model", name, *BACKBONE, *told)
        names = ["retrieval", *chosen, *(["mapnet+pgo", "mapnet++pgo"] if demo else [])]
        scene = Scene.open(place.scene.path)
        print(f"\n== {place.name}: {place.query.name}, {len(scene.posed_frames('train'))} training frames")
        score(scene, names, place.query, place.truth)
        if demo:
            campose("train", place.scene.path, "--model", "menet", "--config", "config/train/menet.yaml")
            menet(Scene.open(place.scene.path), place.query, place.truth)
            print(f"\n== {place.name}: {BESIDE_M} m beside the mapped path")
            found = score(scene, ["retrieval", "mapnet-no-views", "mapnet-turned-views", "mapnet"], bag, truth)
            for name in ("mapnet-no-views", "mapnet-turned-views"):
                less = 1.0 - found["mapnet"].position_m.median / found[name].position_m.median
                print(f"views from beside the path: {100 * less:.0f} % lower median position error than {name}")


if __name__ == "__main__":
    show_log()
    main()
