"""The parameters of the localizer node: one table, from which they are declared and read (`declared_parameters`).

Importing this file needs no ROS, so that launch files and configuration can be checked against it anywhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from campose_core.errors import LocalizationError
from campose_core.geometry import Pose
from campose_core.localization.options import LocalizerOptions

GATING = LocalizerOptions()
IN_CAMERA = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)  # base_from_camera: the camera is the base


def parameter(
    default: Any,
    description: str,
    *,
    between: tuple[float, float] | None = None,
    choices: tuple[str, ...] = (),
    read_only: bool = False,
    live: bool = False,
) -> Any:
    """Make a field of the table.

    `between` bounds a number, both ends included; `choices` are the allowed texts; what is `live` may change while the
    node is configured.
    """
    metadata = {"description": description, "between": between, "choices": choices}
    return dataclasses.field(default=default, metadata={**metadata, "read_only": read_only, "live": live})


@dataclass(frozen=True)
class LocalizerParameters:
    """What the node was told. Read when it is configured; a change in between needs `cleanup` first, except of what is
    `live`: that holds from the next image.

    Raises:
        LocalizationError: values that contradict each other.
    """

    scene: str = parameter("", "Scene folder, as `campose build` makes it; ~ is the home folder.")
    estimator: str = parameter(
        "structure", "structure, hybrid (it and the scene's model), retrieval, or a model in SCENE/models."
    )
    autostart: bool = parameter(
        True, "Configure and activate at the start; false leaves that to a lifecycle manager.", read_only=True
    )

    cameras: tuple[str, ...] = parameter(
        ("",),
        "Names of the robot's cameras. Of several, NAME.image_topic (default NAME/image), NAME.camera_info_topic, "
        "NAME.base_from_camera and so on are the parameters; one empty name: the single camera below.",
    )
    image_topic: str = parameter("image", "Images to localize, with or without the /compressed of that transport.")
    image_transport: str = parameter(
        "raw",
        "raw: sensor_msgs/Image. compressed: JPEG, PNG, or a driver's H.264. ffmpeg, foxglove: H.264 or H.265 packets, "
        "of ffmpeg_image_transport_msgs or foxglove_msgs.",
        choices=("raw", "compressed", "ffmpeg", "foxglove"),
    )
    reliable_images: bool = parameter(
        False, "Ask for reliable images; a best-effort camera then never connects. Default: best effort, newest only."
    )
    camera_info_topic: str = parameter("camera_info", "Intrinsics of the images.")
    rectified: bool = parameter(False, "The images are rectified (image_rect): P of camera_info describes them.")
    camera_source: str = parameter(
        "camera_info",
        "Whose intrinsics: those on camera_info_topic (images before the first are refused), or those of the scene.",
        choices=("camera_info", "scene"),
    )
    scene_camera: str = parameter("", "With camera_source scene: which camera of the scene; empty if it has only one.")
    odom_topic: str = parameter("odom", "Odometry, used when use_odometry is true.")
    imu_topic: str = parameter("imu", "IMU (turn rate and acceleration, with gravity), used when use_imu is true.")
    max_rate_hz: float = parameter(
        0.0, "Images of each camera that are localized a second, at most; 0: all.", between=(0.0, 1000.0), live=True
    )
    initialpose_topic: str = parameter(
        "initialpose", "A pose here makes the node start over; of places that look alike it takes the nearest."
    )
    set_initial_pose: bool = parameter(
        False, "At each activation, start near initial_pose.x, .y, .z and .yaw, as after a pose on initialpose_topic."
    )

    pose_topic: str = parameter("~/pose", "Pose of the base on the walkable floor.")
    pose_raw_topic: str = parameter("~/pose_raw", "Pose of the base as estimated.")
    pose_with_covariance_topic: str = parameter(
        "~/pose_with_covariance", "Pose as estimated, and its covariance. Latched: its stamp says how old it is."
    )
    odometry_topic: str = parameter(
        "~/odometry", "The same in map_frame with the speed of the base, where a pose came shortly before."
    )
    covariance_floor_m: float = parameter(
        0.0, "No published deviation of a position is less, in metres: for filters that have other sensors as well.",
        between=(0.0, 100.0), live=True,
    )  # fmt: skip
    covariance_floor_rad: float = parameter(
        0.0, "No published deviation of a rotation is less, in radians.", between=(0.0, 3.2), live=True
    )
    path_topic: str = parameter("~/path", "Where the base was, at most path_length poses, path_spacing_m apart.")
    status_topic: str = parameter("~/status", "One line for each image that was processed, with its stamp.")
    status_numbers_topic: str = parameter(
        "~/status_numbers", "The same as numbers, a Float64MultiArray; the label of its dimension names them in order."
    )
    map_topic: str = parameter("map", "The floor map of the scene, latched.")
    walkable_topic: str = parameter("~/walkable", "The cells of the map that a robot may stand on, latched.")
    landmarks_topic: str = parameter("~/landmarks", "The landmarks of the scene as points with colours, latched.")
    trail_topic: str = parameter(
        "~/trail", "The path coloured by state: tracking, predicted, off the map, lost. A Marker."
    )
    matches_topic: str = parameter(
        "~/matches", "With /compressed behind it: images with their landmarks, made while somebody subscribes."
    )
    path_length: int = parameter(2000, "Poses kept in the path.", between=(1, 100_000), live=True)
    path_spacing_m: float = parameter(0.05, "Distance between poses of the path.", between=(0.0, 10.0), live=True)
    bootstrap_amcl: bool = parameter(
        False, "Tell AMCL where to start: once each time that TRACKING is gained, when the robot stands still."
    )
    amcl_initialpose_topic: str = parameter("initialpose", "Where AMCL listens, with bootstrap_amcl.")

    map_frame: str = parameter("map", "Frame of the floor map.")
    odom_frame: str = parameter("odom", "Frame the odometry starts in.")
    base_frame: str = parameter("base_link", "Frame of the robot's base.")
    base_from_camera: tuple[float, ...] = parameter(
        IN_CAMERA,
        "Where the camera's optical frame sits on the base: x y z qx qy qz qw. Identity: the camera is the base.",
    )
    base_from_camera_tf: bool = parameter(
        False, "Look the camera's place up in tf instead (image frame to base_frame; needs tf2)."
    )
    publish_tf: bool = parameter(False, "Broadcast map_frame -> odom_frame, or -> base_frame without odometry.")
    planar_tf: bool = parameter(
        False, "With publish_tf, hold the transform to the plane: height 0 and no tilt, x, y and heading as estimated."
    )
    transform_tolerance: float = parameter(
        0.5,
        "Seconds by which map_frame -> odom_frame is dated ahead of its image: so long tf answers without a new one.",
        between=(0.0, 10.0),
        live=True,
    )
    use_odometry: bool = parameter(
        False, "There is odometry: it predicts and steadies poses, and publish_tf broadcasts map_frame -> odom_frame."
    )

    bond_heartbeat_period: float = parameter(
        0.1,
        "Seconds between signs of life for Nav2's lifecycle manager, while active and where the package bond is "
        "installed; 0: none.",
        between=(0.0, 10.0),
    )

    use_imu: bool = parameter(
        False, "There is an IMU: it predicts poses, and carries them on where nothing is recognized. The map is level."
    )
    base_from_imu: tuple[float, ...] = parameter(
        IN_CAMERA, "Where the IMU sits on the base, with use_imu: x y z qx qy qz qw. Identity: it is the base."
    )
    remembered_pose_file: str = parameter(
        "",
        "File in which the last sure pose is kept over a restart, to be looked for first; empty: none. It is published "
        "when images confirm it.",
    )

    max_speed_mps: float = parameter(
        GATING.max_speed_mps, "A pose farther away is a jump.", between=(0.01, 100.0), live=True
    )
    max_turn_rate_radps: float = parameter(
        GATING.max_turn_rate_radps, "A pose turned farther is a jump.", between=(0.01, 100.0), live=True
    )
    confirmations: int = parameter(
        GATING.confirmations, "Consecutive agreeing estimates before a jump or a first pose is believed.",
        between=(1, 100), live=True,
    )  # fmt: skip
    lost_after_misses: int = parameter(
        GATING.lost_after_misses, "Images in a row without a pose until LOST, where nothing carries it on.",
        between=(1, 10_000), live=True,
    )  # fmt: skip
    lost_after_s: float = parameter(
        GATING.lost_after_s,
        "Seconds without a pose until LOST. Where odometry or an IMU carries it on: seconds of a dark or covered "
        "picture while the wheels stand.",
        between=(0.05, 3600.0),
        live=True,
    )
    lost_beyond_m: float = parameter(
        GATING.lost_beyond_m,
        "With odometry or an IMU: LOST when nothing was recognized until the standard deviation passes this, metres.",
        between=(0.01, 100.0), live=True,
    )  # fmt: skip
    lost_beyond_deg: float = parameter(GATING.lost_beyond_deg, "The same in degrees.", between=(0.1, 180.0), live=True)

    def __post_init__(self) -> None:
        if self.bootstrap_amcl and self.publish_tf:
            raise LocalizationError(
                f"publish_tf and bootstrap_amcl are both true: AMCL broadcasts {self.map_frame} -> {self.odom_frame} "
                "itself, leave publish_tf false"
            )
        frames = (self.map_frame, *((self.odom_frame,) if self.use_odometry else ()), self.base_frame)
        if self.publish_tf and len({*frames}) < len(frames):
            raise LocalizationError(
                f"publish_tf would broadcast {' -> '.join(frames)}, a frame in itself: give map_frame, odom_frame and "
                "base_frame different names"
            )
        in_camera = self.cameras == ("",) and not self.base_from_camera_tf and self.base_from_camera == IN_CAMERA
        if self.bootstrap_amcl and in_camera:
            raise LocalizationError(
                "bootstrap_amcl needs to know where the camera sits on the robot: set base_from_camera, "
                "or base_from_camera_tf"
            )

    def localizer_options(self) -> LocalizerOptions:
        """Return those of them that the localizer decides by."""
        return LocalizerOptions(
            max_speed_mps=self.max_speed_mps,
            max_turn_rate_radps=self.max_turn_rate_radps,
            confirmations=self.confirmations,
            lost_after_misses=self.lost_after_misses,
            lost_after_s=self.lost_after_s,
            lost_beyond_m=self.lost_beyond_m,
            lost_beyond_deg=self.lost_beyond_deg,
        )

    def mounting(self) -> Pose:
        """Return base_from_camera as a pose.

        Raises:
            GeometryError: not seven numbers that make a pose.
        """
        return pose_of_numbers(self.base_from_camera)


def pose_of_numbers(numbers: Sequence[float]) -> Pose:
    """Make the pose of x y z qx qy qz qw.

    Raises:
        GeometryError: not seven numbers that make a pose.
    """
    return Pose.from_quat_xyzw(tuple(numbers[3:]), tuple(numbers[:3]))


TABLE = {field.name: field for field in fields(LocalizerParameters)}
# Each of several cameras has these, as NAME.image_topic and so on; see `camera_parameters`.
OF_A_CAMERA = (
    "image_topic", "image_transport", "camera_info_topic", "rectified", "camera_source", "scene_camera",
    "base_from_camera", "base_from_camera_tf",
)  # fmt: skip


def row_of(name: str) -> str:
    """Return the row of the table that describes a parameter: NAME.image_topic is described as image_topic."""
    camera, _, last = name.rpartition(".")
    return last if camera and last in OF_A_CAMERA else name
