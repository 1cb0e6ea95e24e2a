"""Recordings into a scene: pictures under frames/, rows in frames.csv, a camera for each source."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from campose_core.camera import Camera
from campose_core.capture.frame import Recording
from campose_core.capture.image_codec import encode_jpeg
from campose_core.capture.recording import open_recording
from campose_core.errors import CaptureError, GeometryError, UsageError
from campose_core.files import replacing
from campose_core.progress import say, track
from campose_core.scene import Scene, SceneFrame

JPEG_QUALITY = 95
GUESSED_FIELD_OF_VIEW_DEG = 60.0


def extract(
    scene: Scene,
    sources: Sequence[Path | str],
    *,
    topic: str | None = None,
    fps: float | None = None,
    camera: Camera | None = None,
) -> Scene:
    """Bring recordings into the scene, each as one source named after its file; saves the scene after each.

    A source that is there already, from the same file with the same options, is left as it is; with other options, or
    a changed file, its old frames make way for the new ones. A picture whose recording holds it as a JPEG file keeps
    that file; others are written as JPEG of quality 95.

    topic: the image topic, where a bag has several. fps: at most this rate, None for all frames.
    camera: the intrinsics of the picture as displayed, for all `sources`; None takes those of the recording, and where
        it has none a 60 degree field of view as a start, marked `calibrated: false` in `scene.sources`.

    Returns the scene as saved.

    Raises:
        CaptureError: a recording that cannot be read, has no frames, or whose pictures change their size.
        GeometryError: a camera of another shape than the pictures.
        UsageError: fps is not positive, or the same source twice.
    """
    if fps is not None and not 0 < fps < float("inf"):
        raise UsageError(f"--fps must be positive, got {fps}")
    fps = None if fps is None else float(fps)  # subclasses of float have no place in scene.yaml
    paths = [Path(source) for source in sources]
    for path in paths:
        if [other.resolve() for other in paths].count(path.resolve()) > 1:
            raise UsageError(f"{path} is named twice")
    for name, path in zip(_source_names(scene, paths), paths, strict=True):
        recording = open_recording(path, topic, name)
        options = {
            "path": str(path.resolve()),
            "content": _fingerprint(path),
            "topic": recording.describe().get("topic"),
            "fps": fps,
            "camera": camera.to_dict() if camera else None,
        }
        if scene.is_done(f"extract:{name}", options) and (scene.frames_dir / name).is_dir():
            say(f"{name}: already extracted, {scene.sources[name]['frames']} frames")
            continue
        scene = _extract_source(scene, recording, options, fps, camera)
    return scene


def _extract_source(
    scene: Scene, recording: Recording, options: dict[str, Any], fps: float | None, camera: Camera | None
) -> Scene:
    name = recording.name
    folder = scene.frames_dir / name
    others = tuple(frame for frame in scene.frames if frame.source != name)
    rows: list[SceneFrame] = []
    say(f"{name}: reading {options['path']}")
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
    )
    scene.save()
    lost = "".join(f", {count} x {reason}" for reason, count in recording.dropped.items())
    say(f"{name}: {len(rows)} frames of {source_camera.width}x{source_camera.height}{lost}")
    return scene


def _without_source(scene: Scene, name: str) -> Scene:
    return scene.without_step(
        f"extract:{name}",
        frames=tuple(frame for frame in scene.frames if frame.source != name),
        cameras={key: value for key, value in scene.cameras.items() if key != name},
        sources={key: value for key, value in scene.sources.items() if key != name},
    )


def _fitted_camera(recording: Recording, given: Camera | None, width: int, height: int) -> Camera:
    """The camera of pictures of this size: given, known, or guessed; scaled where only the resolution differs."""
    known = given or recording.camera
    if known is None:
        return Camera.from_field_of_view(width, height, GUESSED_FIELD_OF_VIEW_DEG)
    if (known.width, known.height) == (width, height):
        return known
    where = "the camera given" if given else "the camera of the recording"
    shapes = (
        f"{where} is for {known.width}x{known.height} pixels, the pictures of {recording.name} are {width}x{height}"
    )
    if abs(known.width * height - known.height * width) > max(width, height, known.width, known.height):
        turned = " as displayed, turned upright" if (known.width < known.height) != (width < height) else ""
        raise GeometryError(f"{shapes}: give the camera of the picture{turned}")
    say(f"{shapes}: scaled")
    return known.resized(width, height)


def _source_names(scene: Scene, paths: Iterable[Path]) -> list[str]:
    """A name for each path: the one it has in the scene, or its stem, numbered where that is taken."""
    known = {source.get("path"): name for name, source in scene.sources.items()}
    names: list[str] = []
    for path in paths:
        resolved = path.resolve()
        name = known.get(str(resolved))
        if name is None:
            stem = re.sub(
                r"[^\w.-]", "_", resolved.name if resolved.is_dir() and not resolved.suffix else resolved.stem
            )
            stem = stem.lstrip(".") or "source"
            taken = {*scene.sources, *names}
            name = next(n for n in (stem, *(f"{stem}_{i}" for i in range(2, len(taken) + 3))) if n not in taken)
        names.append(name)
    return names


def _fingerprint(path: Path) -> str:
    """Changes when a file of the recording is written, added or removed."""
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.is_file())
    states = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps(states).encode()).hexdigest()[:16]
