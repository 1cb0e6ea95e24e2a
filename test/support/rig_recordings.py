"""Bags of a robot with several cameras, from images at hand or drawn in a simulated room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from recordings import Messages, jpeg, write_bag
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.geometry import Pose
from campose_core.simulation.building import build_world
from campose_core.simulation.drive import BASE_FROM_CAM, camera_trajectory, drive
from campose_core.simulation.simulate import drawing
from campose_core.trajectory import Trajectory

CAMERA = Camera("PINHOLE", 320, 240, (210.0, 210.0, 160.4, 118.9))
MOUNTINGS = {  # base_from_cam: a second camera looks 75 degrees to the left, 0.25 m from the first
    "front": BASE_FROM_CAM,
    "left": Pose(Rotation.from_euler("z", 75, degrees=True) * BASE_FROM_CAM.rotation, np.array([-0.05, 0.2, 0.6])),
}
TOPICS = {camera: f"/{camera}/image_raw/compressed" for camera in MOUNTINGS}
LATE_NS = 4_000_000  # by which the second camera fires later


def drawn_drive() -> tuple[Trajectory, dict[str, list[np.ndarray]]]:
    """map_from_base of 37 moments round a small room, and what the cameras see."""
    world = build_world("small", 0)
    way = drive(world, "mapping", 3.3)
    with drawing(world, CAMERA, 1) as draw:
        return way, {
            camera: list(draw([(1000 * n + i, pose) for i, (_, pose) in enumerate(camera_trajectory(way, mounting))]))
            for n, (camera, mounting) in enumerate(MOUNTINGS.items())
        }


def rig_bag(
    path: Path,
    moments_ns: np.ndarray,
    pictures: dict[str, list[np.ndarray]],
    mountings: dict[str, Pose] | None = None,
    camera: Camera = CAMERA,
    without_info: tuple[str, ...] = (),
    dropped: tuple[tuple[str, int], ...] = (),
    late_ns: int = LATE_NS,
) -> Path:
    """A bag with an image and a camera_info topic for each camera, and /tf_static with `mountings` (base_from_cam).

    dropped: (camera, moment) of images that are missing.
    """
    make = Messages()
    entries = []
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    k = np.array([fx, 0, cx, 0, fy, cy, 0, 0, 1])
    links = [_link(make, int(moments_ns[0]), f"{name}_optical", pose) for name, pose in (mountings or {}).items()]
    if links:
        tf = make.types["tf2_msgs/msg/TFMessage"](transforms=links)
        entries.append(("/tf_static", int(moments_ns[0]), tf))
    for name, images in pictures.items():
        for i, (moment_ns, image) in enumerate(zip(moments_ns, images, strict=True)):
            if (name, i) in dropped:
                continue
            at = int(moment_ns) + (late_ns if name == "left" else 0)
            message = make.compressed(at, jpeg(image))
            message.header.frame_id = f"{name}_optical"
            info = make.camera_info(at, camera.width, camera.height, k=k, d=np.zeros(5))
            entries.append((f"/{name}/image_raw/compressed", at, message))
            if name not in without_info:
                entries.append((f"/{name}/camera_info", at, info))
    return write_bag(path, sorted(entries, key=lambda entry: entry[1]))


def _link(make: Messages, stamp_ns: int, child: str, base_from_cam: Pose):
    x, y, z = map(float, base_from_cam.translation)
    rotation = make.types["geometry_msgs/msg/Quaternion"](
        **dict(zip("xyzw", map(float, base_from_cam.quat_xyzw), strict=True))
    )
    transform = make.types["geometry_msgs/msg/Transform"](
        translation=make.types["geometry_msgs/msg/Vector3"](x=x, y=y, z=z), rotation=rotation
    )
    return make.types["geometry_msgs/msg/TransformStamped"](
        header=make.header(stamp_ns, "base_link"), child_frame_id=child, transform=transform
    )
