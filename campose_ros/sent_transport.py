"""Under which image_transport the images are sent that nobody hears."""

from __future__ import annotations

from collections.abc import Iterable

from campose_core.bag.image_messages import base_topic

BY_TYPE = {
    "sensor_msgs/msg/Image": "raw",
    "sensor_msgs/msg/CompressedImage": "compressed",
    "ffmpeg_image_transport_msgs/msg/FFMPEGPacket": "ffmpeg",
    "foxglove_msgs/msg/CompressedVideo": "foxglove",
}


def sent_transport(topic: str, published: Iterable[tuple[str, str]]) -> str:
    """Return the image_transport with which the node would hear the images of a topic; empty where with none.

    topic: where it listens in vain. published: topics with their types.
    """
    base = base_topic(topic)
    for name, kind in published:
        transport = BY_TYPE.get(kind, "")
        if transport and name == (base if transport == "raw" else f"{base}/{transport}"):
            return transport
    return ""
