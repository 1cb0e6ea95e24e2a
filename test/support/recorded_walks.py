"""Scenes that were mapped, without images worth looking at: poses of the frames, and a bag of what else was there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from bag_messages import TYPES, pose_message, static
from recordings import Messages, jpeg, picture, write_bag
from walks import BASE_FROM_CAM, drive, poses_of, reconstructed, similarity

from campose_core.camera import Camera
from campose_core.geometry import Array, Pose, Similarity
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.sfm.registration import SfmPoses
from campose_core.simulation.drive import drifting_odometry
from campose_core.trajectory import Trajectory

IMAGES = "/camera/image/compressed"
CAMERA, IMU, ANTENNA = "camera_optical", "imu_link", "gps_link"
BASE_FROM_IMU = Pose.from_quat_xyzw([0, 0, 1, 0], [0.0, 0.1, 0.2])
BASE_FROM_ANTENNA = Pose.from_quat_xyzw([0, 0, 0, 1], [-0.5, 0.0, 1.0])


class Walk:
    """A drive, its reconstruction in a frame of its own, and a bag to which one adds what was recorded."""

    def __init__(self, folder: Path, seed: int = 0, seconds: float = 40.0, speed: float = 0.7) -> None:
        self.folder, self.seed = folder, seed
        self.base = drive(seconds, seed, speed=speed)
        self.truth = self.base.moved_by(BASE_FROM_CAM)
        self.map_from_sfm: Similarity = similarity(seed)
        self.sfm = reconstructed(self.truth, self.map_from_sfm, seed)
        self.make = Messages()
        self.entries: list[tuple] = []
        message = self.make.compressed(int(self.base.stamps_ns[0]), jpeg(picture(0)))
        self.entries.append((IMAGES, int(self.base.stamps_ns[0]), message))

    def mounted(self) -> Walk:
        links = [("base_link", CAMERA, BASE_FROM_CAM), ("base_link", IMU, BASE_FROM_IMU)]
        links.append(("base_link", ANTENNA, BASE_FROM_ANTENNA))
        self.entries.append(("/tf_static", int(self.base.stamps_ns[0]), static(self.make, *links)))
        return self

    def poses(self, topic: str, trajectory: Trajectory, msgtype: str = TYPES[1], frame: str = "map") -> Walk:
        for stamp, pose in trajectory:
            message = pose_message(self.make, msgtype, stamp, pose.translation, pose.quat_xyzw)
            message.header.frame_id = frame
            if msgtype == TYPES[0]:
                message.child_frame_id = "base_link"
            self.entries.append((topic, stamp, message))
        return self

    def odometry(self, drift: float = 0.01, topic: str = "/odom", stretched: float = 1.0, late_ns: int = 0) -> Walk:
        found = drifting_odometry(self.base, drift, self.seed)
        moved = Trajectory(found.stamps_ns + late_ns, stretched * found.positions, found.rotations, "odom", "base_link")
        return self.poses(topic, moved, TYPES[0], "odom")

    def tf(self, parent: str, child: str, trajectory: Trajectory) -> Walk:
        for stamp, pose in trajectory:
            message = static(self.make, (parent, child, pose))
            message.transforms[0].header.stamp = self.make.header(stamp).stamp
            self.entries.append(("/tf", stamp, message))
        return self

    def gps(self, noise_m: float = 0.3, claimed_m: float | None = 0.3) -> Walk:
        """At 50 deg north, with the map's x axis east; the antenna is on the robot's tail."""
        rng = np.random.default_rng([self.seed, 5])
        types = self.make.types
        antenna = self.base.moved_by(BASE_FROM_ANTENNA)
        for stamp, pose in antenna:
            east, north, up = pose.translation + rng.normal(0, noise_m, 3)
            status = types["sensor_msgs/msg/NavSatStatus"](status=0, service=1)
            variance = 0.0 if claimed_m is None else claimed_m**2
            message = types["sensor_msgs/msg/NavSatFix"](
                header=self.make.header(stamp, ANTENNA), status=status,
                latitude=50.0 + north / 111229.0, longitude=8.0 + east / 71696.0, altitude=150.0 + up,
                position_covariance=variance * np.eye(3).reshape(-1), position_covariance_type=2 if claimed_m else 0,
            )  # fmt: skip
            self.entries.append(("/fix", stamp, message))
        return self

    def imu(self, map_up: tuple[float, float, float] = (0.0, 0.0, 1.0)) -> Walk:
        types, rng = self.make.types, np.random.default_rng([self.seed, 6])
        no_turn = types["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0)
        map_from_imu = self.base.moved_by(BASE_FROM_IMU)
        forces: Array = map_from_imu.rotations.inv().apply(9.81 * np.array(map_up)) + rng.normal(
            0, 0.3, (len(self.base), 3)
        )
        vector = types["geometry_msgs/msg/Vector3"]
        for stamp, force in zip(self.base.stamps_ns.tolist(), forces, strict=True):
            message = types["sensor_msgs/msg/Imu"](
                header=self.make.header(stamp, IMU), orientation=no_turn,
                orientation_covariance=np.zeros(9), angular_velocity=vector(0.0, 0.0, 0.0),
                angular_velocity_covariance=np.zeros(9), linear_acceleration=vector(*map(float, force)),
                linear_acceleration_covariance=np.zeros(9),
            )  # fmt: skip
            self.entries.append(("/imu", stamp, message))
        return self

    def scene(self) -> Scene:
        """The mapped scene of this walk, with its bag written."""
        path = write_bag(self.folder / "walk.bag", sorted(self.entries, key=lambda entry: entry[1]))
        return mapped_scene(self.folder / "scene", self.sfm, {"kind": "bag", "path": str(path), "topic": IMAGES})


def mapped_scene(folder: Path, sfm_from_cam: Trajectory, source: dict) -> Scene:
    """A scene of one source `walk` with these poses, mapped and not aligned."""
    (folder / "sfm").mkdir(parents=True)
    names = [f"walk/{i:06d}.jpg" for i in range(len(sfm_from_cam))]
    frames = tuple(
        SceneFrame(name, "walk", int(stamp), "walk") for name, stamp in zip(names, sfm_from_cam.stamps_ns, strict=True)
    )
    camera = Camera.from_field_of_view(64, 48, 60.0)
    scene = Scene(folder, "scene", {"walk": camera}, {"walk": source}, frames=frames).with_step("map", {})
    scene.save()
    poses = poses_of(sfm_from_cam)
    SfmPoses(np.array(names), sfm_from_cam.positions, np.array([pose.quat_xyzw for pose in poses])).save(
        folder / "sfm" / "poses.npz"
    )
    return scene


def path_errors(scene: Scene, truth: Trajectory, map_from_frame: Pose | None = None) -> Iterator[float]:
    """Distances in metres of the scene's frames from the truth."""
    for frame, (_, pose) in zip(scene.frames, truth, strict=True):
        assert frame.map_from_cam is not None
        found = frame.map_from_cam if map_from_frame is None else map_from_frame * frame.map_from_cam
        yield float(np.linalg.norm(found.translation - pose.translation))
