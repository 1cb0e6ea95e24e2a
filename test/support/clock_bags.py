"""Bags whose clock was set while they were recorded, or that tell no time."""

from bag_messages import imu_message, pose_message
from recordings import START_NS, TOPIC, Messages, jpeg, picture, write_bag

PERIOD_NS, HOUR_NS = 100_000_000, 3_600_000_000_000
TRUE = [START_NS + i * PERIOD_NS for i in range(12)]


def set_back(i, stamp_ns):
    return stamp_ns + HOUR_NS * (i < 4)


def zero(i, stamp_ns):
    return 0


def in_future(i, stamp_ns):
    return stamp_ns + HOUR_NS * (i == 3)


def recorded(folder, change, kind="mcap", compressed=False):
    """Images at 10 Hz, /odom and /imu 10 ms after each, and /tf beside /odom, all by one clock."""
    make, entries = Messages(kind == "ros1"), []
    for i, true in enumerate(TRUE):
        image = picture(i)
        message = make.compressed(change(i, true), jpeg(image)) if compressed else make.image(change(i, true), image)
        entries.append((TOPIC + "/compressed" * compressed, true + 5_000_000, message))
        stamp = change(i, true + 10_000_000 if change is not zero else true)
        logged = true + 12_000_000
        odometry = pose_message(make, "nav_msgs/msg/Odometry", stamp, (i / 10, 0.0, 0.0), (0, 0, 0, 1))
        entries.append(("/odom", logged, odometry))
        entries.append(("/imu", logged, imu_message(make, stamp, (0, 0, 0), (0, 0, 9.8))))
        if kind == "ros1":  # its TFMessage is of another package
            continue
        link = make.types["geometry_msgs/msg/TransformStamped"](
            header=make.header(stamp, "odom"),
            child_frame_id="base_footprint",
            transform=make.types["geometry_msgs/msg/Transform"](
                translation=make.types["geometry_msgs/msg/Vector3"](i / 10, 0.0, 0.0),
                rotation=make.types["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0),
            ),
        )
        entries.append(("/tf", logged, make.types["tf2_msgs/msg/TFMessage"](transforms=[link])))
    return write_bag(folder / f"walk{'.bag' if kind == 'ros1' else ''}", entries, kind)
