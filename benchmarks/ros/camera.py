"""The camera's process: images of the walk at a rate, each stamped with the time it is published.

python -m benchmarks.ros.camera IMAGES.npy RATE_HZ SECONDS raw|compressed
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from benchmarks.ros.material import SPEED_MPS, VGA, WALK_X

TOPIC, INFO_TOPIC = "/camera/image_raw", "/camera/camera_info"


def main() -> None:
    import wall

    pictures, rate_hz, seconds, transport = sys.argv[1:]
    images = np.load(Path(pictures), mmap_mode="r")
    make = wall.raw_message if transport == "raw" else wall.compressed_message
    messages = [make(0, image) for image in images]
    walk = [*messages, *messages[::-1]]
    rclpy.init()
    node = rclpy.create_node("camera")
    kind, topic = (Image, TOPIC) if transport == "raw" else (CompressedImage, f"{TOPIC}/compressed")
    publisher = node.create_publisher(kind, topic, QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
    infos = node.create_publisher(CameraInfo, INFO_TOPIC, 10)
    while not publisher.get_subscription_count() or not infos.get_subscription_count():
        time.sleep(0.02)
    step_s = float(WALK_X[1] - WALK_X[0]) / SPEED_MPS
    start = time.monotonic()
    for number in range(round(float(seconds) * float(rate_hz))):
        time.sleep(max(0.0, start + number / float(rate_hz) - time.monotonic()))
        message = walk[round((time.monotonic() - start) / step_s) % len(walk)]
        stamp_ns = time.time_ns()
        message.header.stamp = wall.stamp_message(stamp_ns)
        infos.publish(wall.camera_info(stamp_ns, VGA))
        publisher.publish(message)
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
