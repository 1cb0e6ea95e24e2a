"""Does `campose doctor` foretell where a camera finds itself? Forecasts against images.

    python benchmarks/doctor.py --scene SCENE --world WORLD [--views 300]
    python benchmarks/doctor.py --scene SCENE --query later.mp4 --reference later.tum

WORLD is what `campose simulate` wrote, SCENE was built from its mapping recording and aligned to the truth. Images
are rendered at random places and headings of the walkable floor, and localized without a prior by the relocalizer of
the node, in the whole map and in parts of it (keyframes of half and of a quarter of the drive): a forecast is worth
something where a map has holes. The same for the frames of later.mp4, a drive that the map has not seen, or of any
other recording of a scene with its true poses.

A view is found when its pose is right to 25 cm and 2 degrees. precision: of the views foretold to be found, those that
were; recall: of those that were, those foretold; lost: of the views foretold to be lost, those that were not found.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.stats import spearmanr

from campose_core.camera import Camera
from campose_core.capture.camera_file import read_camera_file
from campose_core.capture.recording import open_recording
from campose_core.cli.console import show_log
from campose_core.doctor.coverage import AT_WALL, FOUND, LOST, Forecast
from campose_core.doctor.diagnosis import usual_camera
from campose_core.doctor.lines_of_sight import LinesOfSight
from campose_core.features.base import ImageFeatures
from campose_core.features.sift import SiftExtractor
from campose_core.geometry import Array, Pose, pose_error
from campose_core.landmark_map.covisibility import Keyframes
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.localization.relocalizer import Relocalizer
from campose_core.progress import track
from campose_core.scene.scene import Scene
from campose_core.simulation.building import build_world
from campose_core.simulation.drive import BASE_FROM_CAM
from campose_core.simulation.render import Renderer, expose
from campose_core.trajectory import read_tum
from campose_core.walkable import WalkableMap, load_walkable

RIGHT_M, RIGHT_DEG = 0.25, 2.0
MIN_VIEWS = 3  # of a landmark, in a part of the map
EVERY = 4  # frames of the later drive
SEED = 1  # the constants of the forecast were chosen with the views of seed 0

View = tuple[Pose, ImageFeatures]


def random_views(world: Path, walkable: WalkableMap, camera: Camera, count: int) -> Iterator[View]:
    """Images from where the robot could stand, at the height and tilt of its camera."""
    generator = np.random.default_rng(SEED)
    cells = np.argwhere(walkable.walkable)
    places = walkable.floor.centre_of(cells[generator.choice(len(cells), count, replace=False)])
    made = json.loads((world / "simulation.json").read_text())
    extract = SiftExtractor()
    with Renderer(build_world(made["size"], made["seed"]), camera) as renderer:
        for i, ((x, y), yaw) in enumerate(zip(places, generator.uniform(-np.pi, np.pi, count), strict=True)):
            height = np.array([x, y, BASE_FROM_CAM.translation[2]])
            pose = Pose(Rotation.from_rotvec([0, 0, yaw]) * BASE_FROM_CAM.rotation, height)
            yield pose, extract(expose(renderer.render(pose), 5, i))


def recorded_views(recording: Path, reference: Path) -> Iterator[View]:
    extract, truth = SiftExtractor(), read_tum(reference)
    frames = [frame for i, frame in enumerate(open_recording(recording).frames()) if i % EVERY == 0]
    # A video begins at zero, the truth when the robot's clock did.
    start = int(truth.stamps_ns[0]) if frames[0].stamp_ns < truth.stamps_ns[0] else 0
    known, poses = truth.interpolate([frame.stamp_ns + start for frame in frames])
    for i, frame in enumerate(frame for frame, is_known in zip(frames, known, strict=True) if is_known):
        yield poses.pose(i), extract(frame.image)


def part_of(landmarks: Landmarks, keep: NDArray[np.bool_]) -> Landmarks:
    """The map that these keyframes alone would hold, but for the adjustment."""
    rows = np.flatnonzero(keep)
    looks = keep[landmarks.observed_by]
    observed, by = landmarks.observed[looks], (np.cumsum(keep) - 1)[landmarks.observed_by[looks]]
    seen = np.bincount(observed, minlength=len(landmarks.xyz)) >= MIN_VIEWS
    still = seen[observed]
    return replace(
        landmarks,
        xyz=landmarks.xyz[seen],
        rgb=landmarks.rgb[seen],
        descriptors=landmarks.descriptors[seen],
        frame_names=landmarks.frame_names[rows],
        frame_positions=landmarks.frame_positions[rows],
        frame_quats_xyzw=landmarks.frame_quats_xyzw[rows],
        frame_globals=landmarks.frame_globals[rows],
        observed=(np.cumsum(seen) - 1)[observed[still]].astype(np.int32),
        observed_by=by[still].astype(np.int32),
    )


def localized(landmarks: Landmarks, camera: Camera, views: Sequence[View]) -> tuple[Array, NDArray[np.bool_]]:
    """Inliers (V,) of the best answer, and whether it is right (V,)."""
    relocalize = Relocalizer(landmarks, Keyframes(landmarks))
    inliers, right = np.zeros(len(views)), np.zeros(len(views), dtype=bool)
    for i, (truth, features) in enumerate(track(views, "localizing")):
        answers = relocalize(features, camera)
        if answers:
            metres, radians = pose_error(answers[0].world_from_cam, truth)
            inliers[i], right[i] = len(answers[0].inliers), metres < RIGHT_M and np.degrees(radians) < RIGHT_DEG
    return inliers, right


def row(name: str, landmarks: Landmarks, camera: Camera, walkable: WalkableMap | None, views: Sequence[View]) -> str:
    forecast = Forecast(landmarks, camera, None if walkable is None else LinesOfSight(walkable.floor, landmarks))
    told = [forecast.level(pose.translation, Rotation.from_quat(pose.quat_xyzw[None])) for pose, _ in views]
    expected, level = np.array([n[0] for n, _ in told]), np.array([lv[0] for _, lv in told])
    inliers, right = localized(landmarks, camera, views)
    counted = level != AT_WALL
    expected, level, inliers, right = expected[counted], level[counted], inliers[counted], right[counted]

    def share(of: NDArray[np.bool_], that: NDArray[np.bool_]) -> str:
        return f"{100 * that[of].mean():5.0f} %" if of.any() else "      -"

    correlation = np.corrcoef(expected, inliers)[0, 1] if np.ptp(inliers) else np.nan
    return (
        f"{name:26}{len(views):6}{(~counted).sum():9}{100 * right.mean():8.0f} %{100 * np.mean(level == FOUND):9.0f} %"
        f"{share(level == FOUND, right):>11}{share(right, level == FOUND):>9}{share(level == LOST, ~right):>9}"
        f"{correlation:9.2f}{spearmanr(expected, inliers)[0]:7.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", type=Path, required=True)
    parser.add_argument("--world", type=Path)
    parser.add_argument("--views", type=int, default=300)
    parser.add_argument("--query", type=Path)
    parser.add_argument("--reference", type=Path)
    options = parser.parse_args()
    scene = Scene.open(options.scene)
    walkable = load_walkable(scene.floor_yaml.parent)
    if scene.alignment is None:
        parser.error(f"{scene.path} must be aligned to the truth")
    whole = Landmarks.load(scene.sfm_dir / "landmarks.npz").transformed(scene.alignment.map_from_sfm)
    count = len(whole.frame_names)
    order = np.argsort(whole.frame_names) / count
    maps = {
        "whole map": whole,
        "half of the drive": part_of(whole, order < 0.5),
        "a quarter of the drive": part_of(whole, (order >= 0.125) & (order < 0.375)),
    }
    camera = usual_camera(scene, whole)
    kinds: dict[str, list[View]] = {}
    if options.world is not None:
        if walkable is None:
            parser.error(f"{scene.path} needs the floor map of its world")
        simulated = read_camera_file(options.world / "camera.json")
        kinds["random"] = list(random_views(options.world, walkable, simulated, options.views))
        kinds["later"] = list(recorded_views(options.world / "later.mp4", options.world / "later.tum"))
    if options.query is not None and options.reference is not None:
        kinds["query"] = list(recorded_views(options.query, options.reference))
    print(
        f"{'':26}{'views':>6}{'at wall':>9}{'found':>10}{'foretold':>11}{'precision':>11}{'recall':>9}{'lost':>9}",
        end="",
    )
    print(f"{'corr.':>9}{'rank':>7}")
    for kind, views in kinds.items():
        for name, landmarks in maps.items():
            print(row(f"{kind}, {name}", landmarks, camera, walkable, views), flush=True)


if __name__ == "__main__":
    show_log()
    main()
