"""What every recording yields: frames, one at a time."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera

Image = NDArray[np.uint8]


class Frame(NamedTuple):
    """An image (H, W, 3) uint8 RGB, its header or video stamp, and the optical frame it was taken in.

    A localizer tells the cameras of a robot apart by `camera_frame`.
    jpeg: the recording's own JPEG file of exactly these pixels, where it holds one.
    """

    stamp_ns: int
    image: Image
    camera_frame: str
    name: str
    jpeg: bytes | None = None


class Recording(Protocol):
    """A video, an image folder or a topic of a bag.

    `camera` is None when the recording does not know its intrinsics; they already include a rotation that was applied
    to the pixels. `calibrated` tells measured intrinsics (CameraInfo) from a first guess (a focal length in EXIF).
    `frames` streams in time order; what could not be read is counted in `dropped` by reason.
    """

    name: str
    camera: Camera | None
    calibrated: bool
    dropped: dict[str, int]

    def describe(self) -> dict[str, Any]:
        """Say where it came from, for scene.yaml (`kind`, `path`, and `topic` of a bag; `stamps`, where they come from,
        if not from the recording as it is)."""
        ...

    def frames(self, fps: float | None = None) -> Iterator[Frame]:
        """Yield the frames, thinned to at most `fps` before they are decoded; may be called again from the start."""
        ...
