"""`campose update`: a new recording of a mapped place becomes part of its map, whose frame and poses stay as they are.

All of it happens in a copy beside the scene (`campose_core.scene.exchange`), which takes the scene's place in the end,
or is given up. Half of the recording, every second stretch of it, joins first; on the other half is then measured
whether the map has become better, and only if it has not become worse the other half joins too.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.bag.file import is_bag
from campose_core.camera import Camera
from campose_core.capture.extract import extract
from campose_core.capture.referenced_frames import frames_with_reference
from campose_core.errors import AlignmentError, MappingError
from campose_core.files import write_bytes, write_text
from campose_core.geometry import Pose
from campose_core.landmark_map.intrinsics import RefinedCameras
from campose_core.scene.exchange import commit, discard, keep_beside_previous, prepare, previous_note
from campose_core.scene.exchange import undo as put_back
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.scene.step import writes
from campose_core.sfm.registration import SfmPoses, unplaced_text
from campose_core.update.frame_localization import FoundFrame, MapFinder, NewFrame, frames_with_features
from campose_core.update.map_state import GrowingMap, read_map
from campose_core.update.merged_scene import merged_scene
from campose_core.update.new_camera import new_camera
from campose_core.update.report import HeldOutFigures, draw_update, held_out_figures

log = logging.getLogger(__name__)

MIN_FRAMES, MIN_SHARE = 5, 0.05  # of the recording, that must be found in the map
STRETCH_NS = 4 * 10**9
MIN_STRETCHES = 6
MAX_ROUNDS = 10  # of growing into what the map does not know
WORK = "work"
MAPPED_FILES = ("scene.yaml", "frames.csv")


@dataclass(frozen=True, kw_only=True)
class UpdateOptions:
    """reference: TUM file of map_from_cam, for the errors in the report; it moves nothing.

    topic, fps, camera: as for `campose_core.capture.extract.extract`.
    """

    reference: Path | None = None
    topic: str | None = None
    fps: float | None = 10.0
    camera: Camera | None = None


@writes("sfm", "floor", "models", "reports")
def update_scene(scene: Scene, recording: Path, options: UpdateOptions) -> tuple[Scene, dict[str, Any]]:
    """Add one more recording to the scene's map; returns the scene, saved, and the report in reports/update-NAME.json.

    Raises:
        MappingError: the scene is not mapped and aligned, the recording is in it already or shows another place, or the
            map would find fewer frames with it than without it.
        CaptureError: the recording cannot be read. AlignmentError: the reference is of another recording.
    """
    if scene.alignment is None:
        raise AlignmentError(
            f"{scene.path} is not in a metric frame: run `campose align {scene.path}` before an update"
        )
    poses = SfmPoses.load(scene)
    known = {source.get("path"): name for name, source in scene.sources.items()}
    if str(recording.resolve()) in known:
        raise MappingError(f"{recording} is part of {scene.path} already, as {known[str(recording.resolve())]}")
    new = prepare(scene.path)
    try:
        _copy(scene, new)
        updated, report = _updated(Scene.open(new), poses, recording, options, scene.path)
        name = report["source"]
        paths = ["sfm", f"frames/{name}", f"reports/update-{name}.json", f"reports/update-{name}.png"]
        paths += [folder for folder in ("models", "floor") if (new / folder).is_dir()]
        shutil.rmtree(new.parent / WORK)
        commit(scene.path, [*paths, *MAPPED_FILES], {"name": name, "steps": _mapping_steps(updated)})
    except BaseException:
        discard(scene.path)
        raise
    log.info(f"update: {name} is part of the map; `campose update {scene.path} --undo` takes it out again")
    return Scene.open(scene.path), report


@writes()
def undo_update(scene: Scene) -> Scene:
    """Put back the scene as it was before its last update, file by file; models that were trained since stay.

    Raises:
        MappingError: there was none, or the map was changed since, so that going back would lose that.
    """
    note = previous_note(scene.path)
    if note is None:
        raise MappingError(f"{scene.path} has no update to undo (only the last one can be undone, once)")
    if _mapping_steps(scene) != note.get("steps"):
        raise MappingError(
            f"{scene.path} was mapped, aligned, split or given another floor since the update: no way back"
        )
    trained_since = keep_beside_previous(scene.path, "models")
    put_back(scene.path)
    if trained_since:
        log.info(f"update: trained since, and as they were: {', '.join(trained_since)}")
    log.info(f"update: {note.get('name', 'it')} is out of the map again")
    return Scene.open(scene.path)


def _mapping_steps(scene: Scene) -> dict[str, str]:
    return {step: record["key"] for step, record in scene.steps.items() if not step.startswith("train:")}


def _copy(scene: Scene, new: Path) -> None:
    """Copy the scene to the folder `new`: the map copied, models and floor linked, images by reference."""
    for name in MAPPED_FILES:
        _copy_file(scene.path / name, new / name)
    for path in scene.sfm_dir.rglob("*"):  # one that holds itself has no end, another may lead to what is not copied
        if path.is_symlink() and path.is_dir():
            raise MappingError(f"{path} is a link to a folder: put the folder itself in its place")
    shutil.copytree(scene.sfm_dir, new / "sfm", copy_function=_copy_file)
    for folder in ("models", "floor"):  # written anew and renamed, never changed in place
        if (scene.path / folder).is_dir():
            shutil.copytree(scene.path / folder, new / folder, symlinks=True, copy_function=os.link)
    (new / "frames").mkdir()
    for source in scene.frames_dir.iterdir():
        (new / "frames" / source.name).symlink_to(source.resolve())


def _copy_file(source: Path | str, target: Path | str) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:  # copytree would go on, and tell of each file
        raise MappingError(f"{source} cannot be copied to {target}: {error.strerror}. Nothing is changed") from error


def _updated(
    scene: Scene, old_poses: SfmPoses, recording: Path, options: UpdateOptions, original: Path
) -> tuple[Scene, dict[str, Any]]:
    """Return the copy of the scene with the recording in it, and the report. original: whose copy it is."""
    work = scene.path.parent / WORK
    try:
        held = read_map(scene.sfm_dir, work)
    except MappingError as error:  # the copy is gone when somebody reads of it
        raise MappingError(str(error).replace(str(scene.path), str(original))) from error
    landmarks = held.landmarks
    old_sources, refined = set(scene.sources), RefinedCameras(scene)
    old_cameras = dict(scene.cameras)
    scene = extract(scene, [recording], topic=options.topic, fps=options.fps, camera=options.camera)
    names = sorted(set(scene.sources) - old_sources)
    if len(names) > 1:
        cure = "give the images of each by themselves" if not is_bag(recording) else "choose one with --topic"
        raise MappingError(f"{recording}: it holds several cameras ({', '.join(names)}): {cure}")
    name = names[0]
    rows = [frame for frame in scene.frames if frame.source == name]
    truth = _truth(rows, options.reference, scene.sources[name].get("topic"))
    frames = frames_with_features(scene, rows, landmarks)
    camera, trusted = new_camera(scene, name, frames, landmarks, old_cameras, refined)
    found = MapFinder(landmarks).find_all(frames, camera)
    log.info(f"update: {len(found)} of {len(frames)} frames of {name} are found in the map")
    if len(found) < max(MIN_FRAMES, MIN_SHARE * len(frames)):
        raise MappingError(
            f"{recording}: only {len(found)} of {len(frames)} frames ({len(found) / len(frames):.0%}) are found in the "
            "map: it shows another place, or its camera is not known (give it with --camera). Nothing is changed"
        )

    learning, judging = _halves(frames)
    growing = GrowingMap.start(scene.sfm_dir, work, held, camera, refine=not trusted)
    before = held_out_figures(judging, found, truth, scene)
    half, removed_xyz = _grown_and_faded(growing, learning, found, scene)
    again = MapFinder(half.landmarks).find_all(judging, half.camera)
    after = held_out_figures(judging, again, truth, scene)
    log.info(f"update: of {len(judging)} frames left out, before: {before.text()}; after: {after.text()}")
    if after.right < before.right:
        raise MappingError(f"{recording}: {refusal(before, after)}")
    full, more_removed = _grown_and_faded(half, frames, found | again, scene)
    log.info(f"update: {len(full.joined)} keyframes of {name} joined the map")

    everything = MapFinder(full.landmarks).find_all(frames, full.camera, full.keyframe_poses())
    poses = _poses_of_all(scene, rows, frames, full, everything)
    unplaced = [row.name for row in sorted(rows, key=lambda r: r.stamp_ns) if row.name not in poses]
    missing = unplaced_text(rows, poses, name)
    if missing:
        log.info(f"update: {missing}")
    report: dict[str, Any] = {
        "source": name,
        "frames": len(rows),
        "found_before": len(found),
        "posed": len(poses),
        "not_connected": unplaced,
        "keyframes_added": list(full.joined),
        "keyframes_not_joined": list(full.failed),
        "held_out": {"frames": len(judging), "before": before.to_dict(), "after": after.to_dict()},
        "landmarks": _landmark_counts(growing, full, len(removed_xyz) + len(more_removed)),
    }
    report["landmarks"]["refreshed"] = _refreshed(growing, full)
    gone_xyz = np.concatenate([removed_xyz, more_removed])
    scene = merged_scene(scene, name, full, old_poses, poses)
    write_text(scene.reports_dir / f"update-{name}.json", json.dumps(report, indent=1))
    image = draw_update(scene, name, growing, full, gone_xyz)
    write_bytes(scene.reports_dir / f"update-{name}.png", image)
    return scene, report


def refusal(before: HeldOutFigures, after: HeldOutFigures) -> str:
    """Say why a recording does not join: a map that places fewer frames is a worse map, whatever it gained."""
    return (
        f"the update is refused: of {before.frames} frames that were left out of it the map places {before.right} "
        f"without the recording and {after.right} with it. Nothing is changed"
    )


def _truth(rows: Sequence[SceneFrame], reference: Path | None, image_topic: str | None) -> dict[str, Pose]:
    if reference is None:
        return {}
    return {frame.name: pose for frame, pose in frames_with_reference(rows, reference, image_topic=image_topic)}


def _halves(frames: Sequence[NewFrame]) -> tuple[list[NewFrame], list[NewFrame]]:
    """Every second stretch of the recording, and the others."""
    first, last = frames[0].stamp_ns, frames[-1].stamp_ns
    length = max(1, min(STRETCH_NS, (last - first) // MIN_STRETCHES + 1))
    odd = [(frame.stamp_ns - first) // length % 2 == 1 for frame in frames]
    return [f for f, o in zip(frames, odd, strict=True) if not o], [f for f, o in zip(frames, odd, strict=True) if o]


def _grown_and_faded(
    growing: GrowingMap,
    frames: Sequence[NewFrame],
    found: dict[str, FoundFrame],
    scene: Scene,
) -> tuple[GrowingMap, np.ndarray]:
    """Grown by these frames, further and further where the map ends; and what of it is gone (M, 3), sfm frame."""
    placed = dict(found)
    for _ in range(MAX_ROUNDS):
        grown = growing.grown(frames, placed, scene.frames_dir)
        missing = [frame for frame in frames if frame.name not in placed]
        joined = len(grown.joined) > len(growing.joined)
        growing = grown
        if not (joined and missing):
            break
        more = MapFinder(growing.landmarks).find_all(frames, growing.camera, growing.keyframe_poses())
        if not set(more) - set(placed):
            break
        placed |= more
    poses = {name: place.world_from_cam for name, place in placed.items()} | growing.keyframe_poses()
    xyz = growing.landmarks.xyz
    slimmer, removed = growing.faded(frames, poses)
    return slimmer, xyz[removed]


def _poses_of_all(
    scene: Scene,
    rows: Sequence[SceneFrame],
    frames: Sequence[NewFrame],
    full: GrowingMap,
    everything: dict[str, FoundFrame],
) -> dict[str, Pose]:
    """sfm_from_cam of the recording's frames that have a place, those included that were not looked at yet."""
    poses = {name: place.world_from_cam for name, place in everything.items()} | full.keyframe_poses()
    looked_at = {frame.name for frame in frames}
    rest = [row for row in rows if row.name not in looked_at]
    if rest:
        finder = MapFinder(full.landmarks)
        found = finder.find_all(frames_with_features(scene, rest, full.landmarks), full.camera)
        poses |= {name: place.world_from_cam for name, place in found.items()}
    return poses


def _landmark_counts(old: GrowingMap, full: GrowingMap, removed: int) -> dict[str, int]:
    added = len(np.setdiff1d(full.ids, old.ids))
    return {"before": len(old.ids), "added": added, "removed": removed, "after": len(full.ids)}


def _refreshed(old: GrowingMap, full: GrowingMap) -> int:
    """Landmarks of the old map that new keyframes see, so that position and descriptor are theirs too."""
    new_rows = np.isin(full.landmarks.frame_names, full.joined)
    seen = np.unique(full.landmarks.observed[new_rows[full.landmarks.observed_by]])
    return int(np.isin(full.ids[seen], old.ids).sum())
