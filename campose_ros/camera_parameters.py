"""The parameters of the robot's cameras: the top-level ones of a single one, NAME.image_topic and so on of several.

Importing this file needs no ROS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from campose_core.errors import LocalizationError
from campose_core.geometry import Pose
from campose_ros.declared_parameters import descriptor, value_of
from campose_ros.parameters import IN_CAMERA, OF_A_CAMERA, LocalizerParameters

if TYPE_CHECKING:
    from rclpy.node import Node


@dataclass(frozen=True)
class CameraParameters:
    """One camera. name: empty when it is the only one; the rest as in LocalizerParameters."""

    name: str
    image_topic: str
    image_transport: str
    camera_info_topic: str
    rectified: bool
    camera_source: str
    scene_camera: str
    base_from_camera: tuple[float, ...]
    base_from_camera_tf: bool

    @property
    def is_unplaced(self) -> bool:
        """Tell whether nobody said where it sits on the robot: no camera looks along the robot's z axis."""
        return not self.base_from_camera_tf and self.base_from_camera == IN_CAMERA

    @property
    def base_topic(self) -> str:
        """Return image_topic without the name of its transport, which may stand behind it."""
        if self.image_transport == "raw":
            return self.image_topic
        return self.image_topic.removesuffix(f"/{self.image_transport}") or self.image_topic

    def parameter(self, field: str) -> str:
        """Return what the node calls a field, for messages."""
        return f"{self.name}.{field}" if self.name else field

    def mounting(self) -> Pose:
        """Return base_from_camera as a pose."""
        return Pose.from_quat_xyzw(self.base_from_camera[3:], self.base_from_camera[:3])


def declare_cameras(node: Node) -> None:
    """Declare the parameters of the cameras that `cameras` names, where they are not yet.

    Topics are by default NAME/image and NAME/camera_info; anything else is as at the top level.
    """
    for name in node.get_parameter("cameras").value:
        for field in OF_A_CAMERA if name else ():
            if not node.has_parameter(f"{name}.{field}"):
                by_name = f"{name}/{field.removesuffix('_topic')}"
                default = by_name if field.endswith("_topic") else value_of(node, field)
                node.declare_parameter(f"{name}.{field}", default, descriptor(field))


def read_cameras(node: Node, parameters: LocalizerParameters) -> tuple[CameraParameters, ...]:
    """Return the robot's cameras as the node was told.

    Raises:
        LocalizationError: two cameras of one topic, or in one place.
    """
    declare_cameras(node)
    cameras = tuple(_read(node, name) for name in parameters.cameras)
    for i, camera in enumerate(cameras):
        for other in cameras[:i]:
            _compare(other, camera)
    return cameras


def _read(node: Node, name: str) -> CameraParameters:
    values = {field: node.get_parameter(f"{name}.{field}" if name else field).value for field in OF_A_CAMERA}
    return CameraParameters(name, **{**values, "base_from_camera": tuple(values["base_from_camera"])})


def _compare(one: CameraParameters, other: CameraParameters) -> None:
    if (one.base_topic, one.image_transport) == (other.base_topic, other.image_transport):
        raise LocalizationError(f"the cameras {one.name} and {other.name} have the same images: {other.image_topic}")
    by_parameter = not (one.base_from_camera_tf or other.base_from_camera_tf)
    if by_parameter and one.base_from_camera == other.base_from_camera:
        raise LocalizationError(
            f"the cameras {one.name} and {other.name} would sit in the same place: set "
            f"{one.parameter('base_from_camera')} and {other.parameter('base_from_camera')}, or base_from_camera_tf"
        )
