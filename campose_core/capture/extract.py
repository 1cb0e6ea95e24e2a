"""Recordings into a scene: images under frames/, rows in frames.csv, a camera for each source."""

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.capture.sources.export import ExportedRecording
from campose_core.capture.sources.image_folder import ImageFolder
from campose_core.capture.synchronized_cameras import camera_names, open_rig
from campose_core.errors import CaptureError, GeometryError, UsageError
from campose_core.files import replacing
from campose_core.frame import Recording
from campose_core.pixels.image_codec import encode_jpeg
from campose_core.progress import track
from campose_core.rig import Rig
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.names import place
from campose_core.scene.scene import Scene
from campose_core.scene.step import writes
from campose_core.statistics import require_positive

log = logging.getLogger(__name__)

JPEG_QUALITY = 95
BAG_SUFFIXES = (".bag", ".mcap", ".db3")  # that folders have too
GUESSED_FIELD_OF_VIEW_DEG = 60.0


@writes()
def extract(
    scene: Scene,
    sources: Sequence[Path | str],
    *,
    topic: str | Sequence[str] | None = None,
    fps: float | None = None,
    camera: Camera | None = None,
    images: Path | None = None,
) -> Scene:
    """Bring recordings into the scene, each as one source named after its file; saves the scene after each.

    A source that is there already, from the same file with the same options, is left as it is; with other options, or
    a changed file, its old frames make way for the new ones. An image whose recording holds it as a JPEG file keeps
    that file; others are written as JPEG of quality 95.

    topic: the image topic, where a bag has several. Several topics are the cameras of one rig: each is a source named
        after the bag and the topic, see `campose_core.capture.synchronized_cameras`. fps: at most this rate, None for
        all frames.
    camera: the intrinsics of the image as displayed, for all `sources`; None takes those of the recording, and where
        it has none a 60 degree field of view as a start, marked `calibrated: false` in `scene.sources`.
    images: the folder of the images of the one COLMAP model that `sources` names then.

    Returns the scene as saved.

    Raises:
        CaptureError: a recording that cannot be read, has no frames, or whose images change their size; a camera of a
            rig without intrinsics.
        GeometryError: a camera of another shape than the images.
        UsageError: fps is not positive, or the same source or topic twice.
        SceneError: another process writes the scene, or its folder of frames is a link that leads out of it.
    """
    if fps is not None:
        require_positive(UsageError, **{"--fps": fps})
    paths = [Path(source) for source in sources]
    for path in paths:
        if [other.resolve() for other in paths].count(path.resolve()) > 1:
            raise UsageError(f"{path} is named twice")
    topics = [topic] if isinstance(topic, str) else list(topic or [])
    if len(topics) > 1:
        for path in paths:
            scene = _extract_rig(scene, path, topics, fps, camera)
        return scene
    only = topics[0] if topics else None
    for name, path in zip(_source_names(scene, paths, only), paths, strict=True):
        recordings = _by_camera(scene, open_recording(path, only, name, images), path)
        for recording in recordings:
            options = {
                "path": str(path.resolve()),
                "content": _fingerprint(path, recording),
                "topic": recording.describe().get("topic"),
                "fps": fps,
                "camera": camera.to_dict() if camera else None,
                **({"taken_by": recording.describe()["camera"]} if "camera" in recording.describe() else {}),
            }
            scene = _extract_source(scene, recording, options, fps, camera)
        scene = _without_other_cameras(scene, recordings)
        export = recordings[0].export if isinstance(recordings[0], ExportedRecording) else None
        if images is None and export is not None and export.posed and not export.metric:
            log.info(f"{path}: its poses are in a unit of their own, as COLMAP's: they do not place the map")
    return scene


def _by_camera(scene: Scene, recording: Recording, path: Path) -> list[Recording]:
    """Return a recording for each camera, named by what tells it from the first, which keeps the name of the folder."""
    if not isinstance(recording, ImageFolder | ExportedRecording):
        return [recording]
    parts = recording.by_camera()
    known = {(source.get("path"), source.get("camera")): name for name, source in scene.sources.items()}
    names = [recording.name]
    for part in parts[1:]:
        before = known.get((str(path.resolve()), part.camera_label))
        free = _free_name(f"{recording.name}_{_plain(part.camera_label)}", {*scene.sources, *names})
        part.name = free if before in (None, *names) else str(before)
        names.append(part.name)
    return list(parts)


def _without_other_cameras(scene: Scene, recordings: Sequence[Recording]) -> Scene:
    """Without the sources of cameras that took no image of the folder any more."""
    if not isinstance(recordings[0], ImageFolder | ExportedRecording):
        return scene
    path, names = str(recordings[0].path.resolve()), {recording.name for recording in recordings}
    for gone in [n for n, s in scene.sources.items() if s.get("path") == path and n not in names]:
        log.info(f"{gone}: no image of that camera is left, the source is removed")
        folder, scene = place(scene.path, f"frames/{gone}"), _without_source(scene, gone)
        scene.save()
        shutil.rmtree(folder, ignore_errors=True)
    return scene


def _extract_rig(scene: Scene, path: Path, topics: list[str], fps: float | None, camera: Camera | None) -> Scene:
    """Extract the topics of one bag, one source each, and the rig that they form."""
    if len(set(topics)) < len(topics):
        raise UsageError(f"--topic names {next(t for t in topics if topics.count(t) > 1)} twice")
    open_recording(path, topics[0])  # refuses what is no bag
    names = _camera_sources(scene, path, topics)
    found = open_rig(path, topics, names, fps)
    for recording in found.cameras:
        if not recording.calibrated and camera is None:
            raise CaptureError(
                f"{path}: {recording.topic} has no camera_info that can be used beside it, and a rig needs the "
                "intrinsics of every camera: record it, or give them with --camera FILE"
            )
    for recording in found.cameras:
        options = {
            "path": str(path.resolve()),
            "content": _fingerprint(path, recording),
            "topic": recording.topic,
            "fps": fps,
            "camera": camera.to_dict() if camera else None,
            "rig": found.rig.to_dict() if found.rig else sorted(names),
        }
        scene = _extract_source(scene, recording, options, fps, camera, {names[0]: found.rig} if found.rig else {})
    return scene


def _camera_sources(scene: Scene, path: Path, topics: list[str]) -> list[str]:
    """Return a source name for each topic of a bag: the one it has in the scene, or the bag's and the camera's."""
    known = {(source.get("path"), source.get("topic")): name for name, source in scene.sources.items()}
    names: list[str] = []
    for topic, camera in zip(topics, camera_names(topics), strict=True):
        before = known.get((str(path.resolve()), topic))
        names.append(before or _free_name(f"{_stem(path)}_{_plain(camera)}", {*scene.sources, *names}))
    return names


def _extract_source(
    scene: Scene,
    recording: Recording,
    options: dict[str, Any],
    fps: float | None,
    camera: Camera | None,
    rigs: dict[str, Rig] | None = None,
) -> Scene:
    """Extract a recording, unless its source is there already, made with these options.

    rigs: the one that the source belongs to; another that it belonged to is no more.
    """
    name = recording.name
    if scene.is_done(f"extract:{name}", options) and (scene.frames_dir / name).is_dir():
        log.info(f"{name}: already extracted, {scene.sources[name]['frames']} frames")
        return scene
    folder = place(scene.path, f"frames/{name}")
    others = tuple(frame for frame in scene.frames if frame.source != name)
    rows: list[SceneFrame] = []
    log.info(f"{name}: reading {options['path']}")
    with replacing(folder) as beside:
        beside.mkdir()
        size: tuple[int, int] | None = None
        for frame in track(recording.frames(fps), f"extract {name}"):
            height, width = frame.image.shape[:2]
            if size is None:
                size = width, height
                source_camera = _fitted_camera(recording, camera, width, height)
            elif size != (width, height):
                raise CaptureError(
                    f"{options['path']}: frame {frame.name} is {width}x{height}, those before are {size[0]}x{size[1]}: "
                    "a source needs one camera, so split the recording there"
                )
            file_name = f"{frame.name}.jpg"
            (beside / file_name).write_bytes(frame.jpeg or encode_jpeg(frame.image, JPEG_QUALITY))
            rows.append(SceneFrame(f"{name}/{file_name}", name, frame.stamp_ns, name))
        if not rows:
            raise CaptureError(f"{options['path']}: no frames")
        if name in scene.sources:
            # Between here and the last save a kill must not leave rows, or a finished step, for frames that are gone.
            scene = _without_source(scene, name)
            scene.save()
    source = {
        **recording.describe(),
        "path": options["path"],
        "topic": options["topic"],
        "fps": fps,
        "frames": len(rows),
        "dropped": dict(recording.dropped),
        "calibrated": camera is not None or recording.calibrated,
    }
    scene = scene.with_step(
        f"extract:{name}",
        options,
        frames=(*others, *rows),
        cameras={**scene.cameras, name: source_camera},
        sources={**scene.sources, name: source},
        rigs={**_rigs_without(scene, name), **(rigs or {})},
    )
    scene.save()
    lost = "".join(f", {count} x {reason}" for reason, count in recording.dropped.items())
    log.info(f"{name}: {len(rows)} frames of {source_camera.width}x{source_camera.height}{lost}")
    return scene


def is_assumed(camera: Camera) -> bool:
    """Tell whether a camera is the one that `extract` assumes where nothing is known."""
    return camera == Camera.from_field_of_view(camera.width, camera.height, GUESSED_FIELD_OF_VIEW_DEG)


def _without_source(scene: Scene, name: str) -> Scene:
    return scene.without_step(
        f"extract:{name}",
        frames=tuple(frame for frame in scene.frames if frame.source != name),
        cameras={key: value for key, value in scene.cameras.items() if key.split("#")[0] != name},
        sources={key: value for key, value in scene.sources.items() if key != name},
        rigs=_rigs_without(scene, name),
    )


def _rigs_without(scene: Scene, name: str) -> dict[str, Rig]:
    return {key: rig for key, rig in scene.rigs.items() if name not in rig.rig_from_cam}


def _fitted_camera(recording: Recording, given: Camera | None, width: int, height: int) -> Camera:
    """Return the camera of images of this size: given, known, or guessed; scaled where only the resolution differs."""
    known = given or recording.camera
    if known is None:
        return Camera.from_field_of_view(width, height, GUESSED_FIELD_OF_VIEW_DEG)
    if (known.width, known.height) == (width, height):
        return known
    where = "the camera given" if given else "the camera of the recording"
    shapes = f"{where} is for {known.width}x{known.height} pixels, the images of {recording.name} are {width}x{height}"
    if abs(known.width * height - known.height * width) > max(width, height, known.width, known.height):
        turned = " as displayed, turned upright" if (known.width < known.height) != (width < height) else ""
        raise GeometryError(f"{shapes}: give the camera of the image{turned}")
    log.info(f"{shapes}: scaled")
    return known.resized(width, height)


def _source_names(scene: Scene, paths: Iterable[Path], topic: str | None) -> list[str]:
    """Return a name for each path: the one it has in the scene, or its stem, numbered where that is taken.

    Where several topics of a bag are sources, `topic` tells which of them is meant.
    """
    names: list[str] = []
    for path in paths:
        known = {name: s.get("topic") for name, s in scene.sources.items() if s.get("path") == str(path.resolve())}
        if len(known) > 1:
            known = {name: its_topic for name, its_topic in known.items() if its_topic == topic}
        names.append(next(iter(known), None) or _free_name(_stem(path), {*scene.sources, *names}))
    return names


def _stem(path: Path) -> str:
    resolved = path.resolve()
    is_whole = resolved.is_dir() and resolved.suffix not in BAG_SUFFIXES  # walk_2026.11.29, of which .29 is no kind
    return _plain(resolved.name if is_whole else resolved.stem).lstrip(".") or "source"


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)


def _free_name(stem: str, taken: set[str]) -> str:
    return next(n for n in (stem, *(f"{stem}_{i}" for i in range(2, len(taken) + 3))) if n not in taken)


def _fingerprint(path: Path, recording: Recording) -> str:
    """Return a text that changes when a file of the recording is written, added or removed."""
    if isinstance(recording, ExportedRecording):
        files = recording.files()
    else:
        files = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.is_file())
    states = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps(states).encode()).hexdigest()[:16]
