"""A mapped scene as a viewer sees it: what stands still, and the walk through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from campose_core.bag.cdr import Cdr
from campose_core.bag.ros_messages import OK, WARN
from campose_core.errors import CaptureError, SceneError
from campose_core.floorplan.scene_floor import walkable_of, why_not_snapped
from campose_core.geometry import Pose
from campose_core.localization.estimators.base import Matches
from campose_core.pixels.image_codec import decode_bytes
from campose_core.pixels.scene_images import unreadable
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.visualization import topics
from campose_core.visualization.matches import draw_matches, encode_drawing
from campose_core.visualization.scene_landmarks import read_landmarks
from campose_core.visualization.topics import LATCHED, TYPES, Message, TopicKind

MAP_FRAME, CAMERA_FRAME = "map", "camera_optical_frame"
# Sources were recorded at unrelated times, often both from 0 on: they are shown one after another, this far apart.
BETWEEN_SOURCES_NS = 1_000_000_000


class _Walk(NamedTuple):
    """The frames of one source in stamp order; `shift_ns` moves them behind the source before."""

    frames: list[SceneFrame]
    shift_ns: int

    @property
    def span_ns(self) -> tuple[int, int]:
        return self.frames[0].stamp_ns + self.shift_ns, self.frames[-1].stamp_ns + self.shift_ns


class SceneView:
    """A `Source` out of a scene: pose and image of each frame, with the landmarks that a keyframe sees where the pose
    puts them. /localizer/pose is the camera's. walkable: its floor, None where it has none.

    Raises:
        SceneError, FloorError: it holds no frames, or is damaged.
        MissingDependency: rosbags is not installed.
    """

    def __init__(self, scene: Scene) -> None:
        if not scene.frames:
            raise SceneError(f"{scene.path} holds no frames: add a recording with `campose extract`")
        missing = next((path for path in map(scene.frame_path, scene.frames) if not path.is_file()), None)
        if missing is not None:
            raise SceneError(f"{missing} is missing: run `campose extract` again")
        self.name = scene.name
        self._scene, self._cdr = scene, Cdr()
        self._walks = _walks(scene)
        self.walkable = walkable_of(scene)
        self._landmarks = read_landmarks(scene)
        self.span_ns = self._walks[0].span_ns[0], self._walks[-1].span_ns[1]
        self.topics = {name: TopicKind(TYPES[name], self._cdr.definition(TYPES[name]), name in LATCHED)
                       for name in self._filled()}  # fmt: skip

    def _filled(self) -> list[str]:
        filled = [topics.DIAGNOSTICS, topics.STATUS, topics.IMAGE, topics.CAMERA_INFO]
        if self.walkable is not None:
            filled += [topics.MAP, topics.WALKABLE]
        if self._landmarks is not None:
            filled += [topics.LANDMARKS, topics.MATCHES]
        if self._scene.posed_frames():
            filled += [topics.POSE, topics.TF, topics.REFERENCE_PATH]
        return filled

    def latched(self, at_ns: int) -> list[Message]:
        ros = self._cdr.messages
        shown = [self._message(topics.DIAGNOSTICS, at_ns, self._facts(at_ns))]
        if self.walkable is not None:
            floor, walkable = self.walkable.floor, self.walkable.walkable
            shown += [
                self._message(topics.MAP, at_ns, ros.occupancy_grid(MAP_FRAME, at_ns, floor)),
                self._message(topics.WALKABLE, at_ns, ros.walkable_grid(MAP_FRAME, at_ns, floor, walkable)),
            ]
        if self._landmarks is not None:
            shown.append(self._message(topics.LANDMARKS, at_ns, self._landmarks.cloud(ros, MAP_FRAME, at_ns)))
        begun = [walk for walk in self._walks if walk.span_ns[0] <= at_ns]
        if begun and topics.REFERENCE_PATH in self.topics:
            shown.append(self._path(begun[-1], at_ns))
        return shown

    def messages(self, from_ns: int, wanted: Callable[[str], bool]) -> Iterator[Message]:
        """Yield them as the walk goes; images are read as they come up.

        Raises:
            SceneError: one is missing.
        """
        for walk in self._walks:
            begin_ns, _ = walk.span_ns
            if begin_ns > from_ns and topics.REFERENCE_PATH in self.topics:
                yield self._path(walk, begin_ns)
            for frame in walk.frames:
                if frame.stamp_ns + walk.shift_ns >= from_ns:
                    yield from self._frame(frame, frame.stamp_ns + walk.shift_ns, wanted)

    def _message(self, topic: str, stamp_ns: int, message: Any) -> Message:
        return Message(topic, stamp_ns, self._cdr.serialize(message))

    def _facts(self, stamp_ns: int) -> Any:
        scene = self._scene
        posed = len(scene.posed_frames())
        facts: dict[str, object] = {"frames": len(scene.frames), "with a pose": posed}
        if self._landmarks is not None:
            facts["landmarks"] = len(self._landmarks.xyz)
        missing = "" if self.walkable is not None else "no floor map: attach one with `campose floor`"
        missing = why_not_snapped(scene) or missing
        if scene.alignment is None:
            missing = "not aligned to a map frame: run `campose align`"
        else:
            facts |= {"aligned by": scene.alignment.method, "scale": scene.scale.in_words().removeprefix("scale ")}
            residual = scene.alignment.residual.to_dict()
            facts |= {f"alignment: {name}": f"{value:.3g}" for name, value in residual.items()}
        text = missing or f"{len(scene.frames)} frames, {posed} with a pose"
        text += f"; {scene.scale.caution()}" if scene.alignment is not None and scene.scale.caution() else ""
        level = WARN if missing else OK
        return self._cdr.messages.diagnostics(stamp_ns, f"scene {scene.name}", level, text, facts)

    def _path(self, walk: _Walk, stamp_ns: int) -> Message:
        ros = self._cdr.messages
        poses = [
            ros.pose_stamped(MAP_FRAME, frame.stamp_ns + walk.shift_ns, frame.map_from_cam)
            for frame in walk.frames
            if frame.map_from_cam is not None
        ]
        return self._message(topics.REFERENCE_PATH, stamp_ns, ros.path(MAP_FRAME, stamp_ns, poses))

    def _frame(self, frame: SceneFrame, stamp_ns: int, wanted: Callable[[str], bool]) -> Iterator[Message]:
        ros, pose = self._cdr.messages, frame.map_from_cam
        if pose is not None:
            tf = ros.tf(ros.transform_stamped(MAP_FRAME, CAMERA_FRAME, stamp_ns, pose))
            yield self._message(topics.TF, stamp_ns, tf)
            yield self._message(topics.POSE, stamp_ns, ros.pose_stamped(MAP_FRAME, stamp_ns, pose))
        if frame.camera in self._scene.cameras:
            info = ros.camera_info(CAMERA_FRAME, stamp_ns, self._scene.cameras[frame.camera])
            yield self._message(topics.CAMERA_INFO, stamp_ns, info)
        if wanted(topics.IMAGE):
            image = ros.compressed_image(CAMERA_FRAME, stamp_ns, self._read(frame))
            yield self._message(topics.IMAGE, stamp_ns, image)
        matches = self._seen(frame)
        if topics.MATCHES in self.topics and wanted(topics.MATCHES):
            drawn = encode_drawing(self._drawing(frame, matches))
            yield self._message(topics.MATCHES, stamp_ns, ros.compressed_image(CAMERA_FRAME, stamp_ns, drawn))
        values = {"image": frame.name, "state": "NOT MAPPED" if pose is None else f"MAPPED {frame.split}".strip()}
        if matches is not None:
            values["support"] = str(len(matches.xyz))
        status = ros.diagnostics(stamp_ns, f"scene {self.name}", WARN if pose is None else OK, frame.name, values)
        yield self._message(topics.STATUS, stamp_ns, status)

    def _seen(self, frame: SceneFrame) -> Matches | None:
        """Return the landmarks of a keyframe, where its pose puts them."""
        rows = None if self._landmarks is None else self._landmarks.seen_by.get(frame.name)
        if self._landmarks is None or rows is None or frame.map_from_cam is None:
            return None
        camera, xyz = self._scene.cameras[frame.camera], self._landmarks.xyz[rows]
        pixels = camera.project(frame.map_from_cam.inverse().transform(xyz))
        shown = np.isfinite(pixels).all(axis=1)
        return Matches(camera, pixels[shown], xyz[shown])

    def _drawing(self, frame: SceneFrame, matches: Matches | None) -> Any:
        pose: Pose | None = frame.map_from_cam
        state = "not mapped" if pose is None else "mapped"
        text = f"{frame.name}  {state}" if matches is None else f"{frame.name}  {len(matches.xyz)} landmarks"
        try:
            image = decode_bytes(self._read(frame))
        except CaptureError as error:
            raise unreadable(self._scene, frame, error) from error
        return draw_matches(image, matches, None, text, pose is not None)

    def _read(self, frame: SceneFrame) -> bytes:
        path = self._scene.frame_path(frame)
        try:
            return path.read_bytes()
        except OSError as error:
            raise SceneError(f"{path} cannot be read ({error.strerror}): run `campose extract` again") from error


def _walks(scene: Scene) -> list[_Walk]:
    sources: dict[str, list[SceneFrame]] = {}
    for frame in sorted(scene.frames, key=lambda frame: frame.stamp_ns):
        sources.setdefault(frame.source, []).append(frame)
    walks: list[_Walk] = []
    for frames in sources.values():
        shift_ns = 0 if not walks else walks[-1].span_ns[1] + BETWEEN_SOURCES_NS - frames[0].stamp_ns
        walks.append(_Walk(frames, shift_ns))
    return walks
