"""A drive along the painted wall, image by image, to one node."""

from __future__ import annotations

from client import ALL, Client, stamps, values
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from wall import CAMERA, camera_info, compressed_message, picture, raw_message, standing_at

START_NS = 1_700_000_000_123_456_789
PERIOD_NS = 100_000_000


class Drive:
    """Images along the wall to one node, each published when the one before was processed."""

    def __init__(self, client: Client, node: str, images: str, transport: str) -> None:
        self.client = client
        self.compressed = transport == "compressed"
        self.status = client.collect(DiagnosticArray, f"/{node}/status")
        self.poses = client.collect(PoseStamped, f"/{node}/pose")
        self.raw_poses = client.collect(PoseStamped, f"/{node}/pose_raw")
        kind, topic = (CompressedImage, f"{images}/compressed") if self.compressed else (Image, images)
        self.images = client.publisher(kind, topic)
        self.info = client.publisher(CameraInfo, f"{images}_info", ALL)
        self.next_ns = START_NS
        self.camera = CAMERA

    def show(self, x: float, stamp_ns: int | None = None, y: float = 1.5) -> dict[str, str]:
        """The status of one image from a place before the wall."""
        stamp_ns = self.next_ns if stamp_ns is None else stamp_ns
        self.next_ns = stamp_ns + PERIOD_NS
        pixels = picture(standing_at(x, y), self.camera)
        message = (compressed_message if self.compressed else raw_message)(stamp_ns, pixels)
        before = stamps(self.status).count(stamp_ns)
        # Best effort: a message may be lost on a busy machine, so it is sent until it is answered.
        for _ in range(10):
            self.info.publish(camera_info(stamp_ns, self.camera))
            self.images.publish(message)
            if self.client.within(1.0, lambda: stamps(self.status).count(stamp_ns) > before):
                return [values(m.status[0]) for m in self.status if stamps([m]) == [stamp_ns]][-1]
        raise AssertionError(f"no status for {stamp_ns}")

    def pose_of(self, stamp_ns: int, poses: list[PoseStamped]) -> PoseStamped:
        """The pose with a stamp; it may come after its status."""
        found = self.client.until(lambda: [p for p in poses if stamps([p]) == [stamp_ns]], f"pose {stamp_ns}")
        return found[-1]

    def settle(self, x: float = 3.0) -> None:
        """Show one place until the node believes it."""
        for _ in range(5):
            if self.show(x)["state"] == "TRACKING":
                return
        raise AssertionError(f"not tracking: {self.status[-1]}")
