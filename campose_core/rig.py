"""The rig: several cameras that are fixed to one robot, and which of their images show one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from campose_core.errors import GeometryError
from campose_core.geometry import Pose

Image = TypeVar("Image")


@dataclass(frozen=True, eq=False)
class Rig:
    """Cameras by the name of their source in a scene, the first of which is the reference.

    rig_from_cam: where each camera sits in `frame` (base_link, or the first camera's own frame), in metres; None where
        nothing is known of it.
    tolerance_ns: images whose stamps are no farther apart are of one moment.

    Raises:
        GeometryError: fewer than two cameras, or a negative tolerance.
    """

    frame: str
    rig_from_cam: dict[str, Pose | None]
    tolerance_ns: int

    def __post_init__(self) -> None:
        if len(self.rig_from_cam) < 2 or self.tolerance_ns < 0:
            raise GeometryError(
                f"a rig needs two or more cameras and a tolerance of 0 or more, got {list(self.rig_from_cam)} and "
                f"{self.tolerance_ns} ns"
            )

    @property
    def cameras(self) -> list[str]:
        """Return the names of the cameras, that of the reference first."""
        return list(self.rig_from_cam)

    @property
    def reference(self) -> str:
        """Return the name of the first camera."""
        return self.cameras[0]

    @property
    def is_known(self) -> bool:
        """Return whether every camera's place is known."""
        return all(pose is not None for pose in self.rig_from_cam.values())

    def reference_from_cam(self, camera: str) -> Pose | None:
        """Return where a camera sits in the reference camera's frame; None where one of the two places is not known."""
        rig_from_reference, rig_from_cam = self.rig_from_cam[self.reference], self.rig_from_cam[camera]
        if camera == self.reference:
            return Pose.identity()
        if rig_from_reference is None or rig_from_cam is None:
            return None
        return rig_from_reference.inverse() * rig_from_cam

    def to_dict(self) -> dict[str, Any]:
        """Return its fields for `scene.yaml`, places as quaternion and translation."""
        return {
            "frame": self.frame,
            "tolerance_ns": self.tolerance_ns,
            "rig_from_cam": {name: pose and _fields(pose) for name, pose in self.rig_from_cam.items()},
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Rig:
        """Make it from what `to_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: a field is missing, or none of its kind.
            GeometryError: a place is no pose, or the fields are no rig.
        """
        poses = {
            str(name): Pose.from_quat_xyzw(pose["quat_xyzw"], pose["translation"]) if pose else None
            for name, pose in fields["rig_from_cam"].items()
        }
        return cls(str(fields["frame"]), poses, int(fields["tolerance_ns"]))


def _fields(pose: Pose) -> dict[str, list[float]]:
    return {"quat_xyzw": [float(v) for v in pose.quat_xyzw], "translation": [float(v) for v in pose.translation]}


@dataclass(frozen=True)
class Moment(Generic[Image]):
    """The images that the cameras of a rig took at one moment, by camera; `stamp_ns` is that of the first of them."""

    stamp_ns: int
    images: dict[str, Image]


def moments(images: Mapping[str, Iterable[tuple[int, Image]]], tolerance_ns: int) -> list[Moment[Image]]:
    """Join images (stamp_ns, image) by camera into moments in time order; every image is in exactly one.

    A moment begins with the earliest image that is left. Each other camera adds its next one within the tolerance,
    unless that lies nearer to the following image of the camera that began: where a camera has dropped an image, the
    ones after it stay with their own moments.
    """
    queues = {camera: sorted(stamped, key=lambda one: one[0]) for camera, stamped in images.items()}
    at = dict.fromkeys(queues, 0)
    found: list[Moment[Image]] = []
    while True:
        heads = {camera: queue[at[camera]] for camera, queue in queues.items() if at[camera] < len(queue)}
        if not heads:
            return found
        first = min(heads, key=lambda camera: heads[camera][0])
        start_ns = heads[first][0]
        following = queues[first][at[first] + 1][0] if at[first] + 1 < len(queues[first]) else None
        members = {}
        for camera, (stamp_ns, image) in heads.items():
            apart = stamp_ns - start_ns
            if apart <= tolerance_ns and (following is None or apart <= abs(following - stamp_ns)):
                members[camera] = image
                at[camera] += 1
        found.append(Moment(start_ns, members))
