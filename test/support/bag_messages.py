"""Messages for the bags of tests: poses, transforms, and what an IMU measures."""

import numpy as np
from recordings import START_NS, Messages

from campose_core.geometry import Pose

TYPES = ["nav_msgs/msg/Odometry", "geometry_msgs/msg/PoseStamped", "geometry_msgs/msg/PoseWithCovarianceStamped"]


def pose_message(make, msgtype, stamp_ns, position, quat_xyzw):
    geometry = {name: make.types[f"geometry_msgs/msg/{name}"] for name in (
        "Point", "Quaternion", "Pose", "PoseWithCovariance", "Twist", "TwistWithCovariance", "Vector3")}  # fmt: skip
    pose = geometry["Pose"](position=geometry["Point"](*position), orientation=geometry["Quaternion"](*quat_xyzw))
    if not msgtype.endswith("PoseStamped"):
        pose = geometry["PoseWithCovariance"](pose=pose, covariance=np.zeros(36))
    extra = {}
    if msgtype.endswith("Odometry"):
        twist = geometry["Twist"](linear=geometry["Vector3"](0, 0, 0), angular=geometry["Vector3"](0, 0, 0))
        extra = {
            "child_frame_id": "base_footprint",
            "twist": geometry["TwistWithCovariance"](twist=twist, covariance=np.zeros(36)),
        }
    return make.types[msgtype](header=make.header(stamp_ns, "odom"), pose=pose, **extra)


def static(make: Messages, *links: tuple[str, str, Pose]):
    """A message for /tf_static: parent, child, parent_from_child."""
    types, transforms = make.types, []
    for parent, child, pose in links:
        transform = types["geometry_msgs/msg/Transform"](
            translation=types["geometry_msgs/msg/Vector3"](*map(float, pose.translation)),
            rotation=types["geometry_msgs/msg/Quaternion"](*map(float, pose.quat_xyzw)),
        )
        transforms.append(
            types["geometry_msgs/msg/TransformStamped"](
                header=make.header(START_NS, parent), child_frame_id=child, transform=transform
            )
        )
    return types["tf2_msgs/msg/TFMessage"](transforms=transforms)


def imu_message(make, stamp_ns, gyro, accel, frame_id="imu_link", turn_covariance=0.0):
    vector = make.types["geometry_msgs/msg/Vector3"]
    unknown = np.zeros(9)
    return make.types["sensor_msgs/msg/Imu"](
        header=make.header(stamp_ns, frame_id),
        orientation=make.types["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0),
        orientation_covariance=np.array([-1.0, *[0.0] * 8]),
        angular_velocity=vector(*map(float, gyro)),
        angular_velocity_covariance=np.array([turn_covariance, *[0.0] * 8]),
        linear_acceleration=vector(*map(float, accel)),
        linear_acceleration_covariance=unknown,
    )
