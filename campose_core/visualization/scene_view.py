"""A mapped scene as a viewer sees it: what stands still, and the walk through it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from campose_core.errors import SceneError
from campose_core.scene import Scene, SceneFrame
from campose_core.visualization.channels import Landmarks, Moment, Still
from campose_core.walkable import load_walkable

# Sources were recorded at unrelated times, often both from 0 on: they are shown one after another, this far apart.
BETWEEN_SOURCES_NS = 1_000_000_000


def still_of(scene: Scene) -> Still:
    """Floor map and landmarks where the scene has them, and the walked path of every source.

    Raises:
        FloorError, SceneError: the floor map or the landmarks are damaged.
    """
    posed = scene.posed_frames()
    sources = sorted({frame.source for frame in posed})
    notes = [f"scene {scene.name}: {len(scene.frames)} frames, {len(posed)} with a pose"]
    walkable = load_walkable(scene.floor_yaml.parent)
    if walkable is None:
        notes.append("no floor map: attach one with `campose floor`")
    landmarks = read_landmarks(scene)
    if landmarks is not None:
        notes.append(f"{len(landmarks.xyz)} landmarks")
    if scene.alignment is None:
        notes.append("not aligned to a map frame: run `campose align`")
    else:
        residual = ", ".join(f"{name} {value:.3g}" for name, value in scene.alignment.residual.items())
        notes.append(f"aligned by {scene.alignment.method}" + (f": {residual}" if residual else ""))
    return Still(
        floor=walkable.floor if walkable else None,
        walkable=walkable.walkable if walkable else None,
        landmarks=landmarks,
        paths={"reference": [scene.trajectory(source) for source in sources]} if sources else {},
        notes=notes,
    )


def read_landmarks(scene: Scene) -> Landmarks | None:
    """The landmarks in the map frame; None when the scene is not mapped or not aligned.

    Raises:
        SceneError: SCENE/sfm/landmarks.npz is damaged.
    """
    path = scene.sfm_dir / "landmarks.npz"
    if scene.alignment is None or not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            xyz, rgb = np.asarray(arrays["xyz"], dtype=np.float64), np.asarray(arrays["rgb"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise SceneError(f"{path} is damaged ({error}): run `campose map` again") from error
    if xyz.ndim != 2 or xyz.shape[1] != 3 or rgb.shape != xyz.shape or rgb.dtype != np.uint8:
        raise SceneError(f"{path}: expected xyz (N, 3) and rgb (N, 3) uint8, got {xyz.shape} and {rgb.shape}")
    return Landmarks(scene.alignment.map_from_sfm.transform(xyz) if len(xyz) else xyz, rgb)


def moments_of(scene: Scene) -> Iterator[Moment]:
    """The frames of one source after the other, each in stamp order; pictures are read as they come up.

    Stamps keep their distances within a source. Those of the second and later sources are moved behind the one before.

    Raises:
        SceneError: a picture of the scene is missing.
    """
    sources: dict[str, list[SceneFrame]] = {}
    for frame in sorted(scene.frames, key=lambda frame: frame.stamp_ns):
        sources.setdefault(frame.source, []).append(frame)
    end_ns: int | None = None
    for frames in sources.values():
        shift_ns = 0 if end_ns is None else end_ns + BETWEEN_SOURCES_NS - frames[0].stamp_ns
        end_ns = frames[-1].stamp_ns + shift_ns
        for frame in frames:
            yield _moment(scene, frame, shift_ns)


def _moment(scene: Scene, frame: SceneFrame, shift_ns: int) -> Moment:
    status: dict[str, Any] = {"image": frame.name, "state": "NOT MAPPED"}
    if frame.map_from_cam is not None:
        status["state"] = f"MAPPED {frame.split}".strip()
    return Moment(
        stamp_ns=frame.stamp_ns + shift_ns,
        jpeg=_read(scene.frame_path(frame)),
        camera=scene.cameras.get(frame.camera),
        map_from_cam=frame.map_from_cam,
        # Shown on /pose, where a viewer looks for the pose to believe.
        poses={} if frame.map_from_cam is None else {"snapped": frame.map_from_cam},
        status=status,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SceneError(f"{path} cannot be read ({error.strerror}): run `campose extract` again") from error
