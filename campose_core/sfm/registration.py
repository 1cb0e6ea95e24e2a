"""Poses of all frames in the sfm frame: the keyframes' are reconstructed, the others follow by PnP on the landmarks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera
from campose_core.errors import MappingError
from campose_core.geometry import Array, Pose, is_place, is_unit
from campose_core.landmark_map.array_forms import Form, checked
from campose_core.landmark_map.arrays import damaged, read_arrays, write_arrays
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.pnp import LandmarkMatcher, solve_pnp
from campose_core.pixels.scene_images import read_image
from campose_core.progress import track
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.sfm.rig_calibration import poses_by_partners

FORMS = {"names": Form("U", ("N",)), "positions": Form("f", ("N", 3)), "quats_xyzw": Form("f", ("N", 4))}
SURE_OF_SECOND = 100  # landmarks that agree: nearest XFeat descriptors put frames of a rendered room 2 m off by 20
SHOWN = 5  # stretches of frames without a pose


@dataclass(frozen=True, eq=False)
class SfmPoses:
    """sfm_from_cam of the frames `names`: positions (N, 3), quats_xyzw (N, 4)."""

    names: NDArray[np.str_]
    positions: Array
    quats_xyzw: Array

    @classmethod
    def of(cls, poses: dict[str, Pose]) -> SfmPoses:
        """Make them from sfm_from_cam by frame name."""
        names = sorted(poses)
        positions, quats = ([getattr(poses[n], what) for n in names] for what in ("translation", "quat_xyzw"))
        return cls(np.array(names), np.array(positions), np.array(quats))

    def poses(self) -> dict[str, Pose]:
        """Return sfm_from_cam by frame name."""
        rows = zip(self.names, self.quats_xyzw, self.positions, strict=True)
        return {str(name): Pose.from_quat_xyzw(quat, position) for name, quat, position in rows}

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        write_arrays(path, {field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, scene: Scene) -> SfmPoses:
        """Read those of a mapped scene.

        Raises:
            MappingError: the scene is not mapped yet, or its frames changed since; or the file is damaged.
        """
        path = scene.sfm_dir / "poses.npz"
        if not path.is_file():
            raise MappingError(f"{scene.path} has no reconstruction yet: run `campose map {scene.path}`")
        if not scene.is_current("map"):
            raise MappingError(f"{scene.path} has other frames than its reconstruction: run `campose map {scene.path}`")
        try:
            found = checked(read_arrays(path), FORMS)
            if not is_place(found["positions"]) or not is_unit(found["quats_xyzw"]):
                raise ValueError("what it holds are no poses")
            return cls(**found)
        except ValueError as error:
            raise damaged(path, str(error)) from error


def register(
    kinds: Sequence[Landmarks], scene: Scene, cameras: dict[str, Camera], given: dict[str, Pose] | None = None
) -> SfmPoses:
    """Find poses of the keyframes and of every other frame that the landmarks can place; `cameras` by name.

    kinds: landmarks of each kind of features that the map has, on the same keyframes; the first that can decides.

    An image of a rig that they cannot place follows from another camera's image of the same moment.

    given: poses that are known already, in the frame of the landmarks.
    """
    poses = (given or {}) | {str(name): kinds[0].world_from_cam(i) for i, name in enumerate(kinds[0].frame_names)}
    for landmarks in kinds:
        others = [f for f in scene.frames if f.name not in poses and f.camera in cameras]
        if not others:
            break
        extract, match = landmarks.extractor(), LandmarkMatcher(landmarks)
        for frame in track(others, "other frames"):
            features = extract(read_image(scene, frame))
            seen, shown = match(features)
            found = solve_pnp(features.pixels[seen], landmarks.xyz[shown], cameras[frame.camera])
            if found is not None and (landmarks is kinds[0] or len(found.inliers) >= SURE_OF_SECOND):
                poses[frame.name] = found.world_from_cam
    poses |= poses_by_partners(poses, scene)
    return SfmPoses.of(poses)


def unplaced_text(frames: Sequence[SceneFrame], placed: Collection[str], source: str) -> str | None:
    """Say which frames of a source are not among `placed` (names), as stretches; None where all are."""
    ordered = sorted((frame for frame in frames if frame.source == source), key=lambda frame: frame.stamp_ns)
    known = set(placed)
    runs = [list(run) for missing, run in groupby(ordered, lambda f: f.name not in known) if missing]
    if not runs:
        return None
    count = sum(map(len, runs))
    if count == len(ordered):
        return f"{source} does not connect: none of its {count} frames has a place in the map"
    shown = [r[0].name if len(r) == 1 else f"{r[0].name} .. {r[-1].name}" for r in runs[:SHOWN]]
    more = f" and {len(runs) - SHOWN} more stretches" if len(runs) > SHOWN else ""
    return f"{count} of {len(ordered)} frames of {source} do not connect: {', '.join(shown)}{more}"
