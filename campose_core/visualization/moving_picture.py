"""Some seconds of a replay as a moving picture: the image with its landmarks, and beside it the pose on the floor plan.

An animated WebP, which browsers and GitHub show: a third of the bytes of a GIF, in all colours.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image as PilImage
from PIL import ImageDraw

from campose_core.bag.file import open_bag
from campose_core.bag.image_messages import image_stamp_ns
from campose_core.bag.poses import read_poses
from campose_core.errors import CaptureError
from campose_core.files import write_bytes
from campose_core.floor import FloorMap
from campose_core.geometry import Array, Pose
from campose_core.pixels.image_codec import decode_bytes
from campose_core.plotting.palette import BLUE, UNKNOWN, VERMILION, WALL, rgb
from campose_core.visualization import topics

HEIGHT = 320  # pixels, of both halves
PICTURES_PER_S, SPEED = 6, 2  # what is shown, and times recorded speed
QUALITY = 55  # of WebP
ARROW = np.array([[0.35, 0.0], [-0.2, 0.2], [-0.1, 0.0], [-0.2, -0.2]])  # metres; it stands for the base

Point = tuple[float, float]


def write_moving_picture(path: Path, replayed: Path, floor: FloorMap, start_s: float, length_s: float) -> None:
    """Write an animated WebP of a bag that `campose replay` wrote.

    replayed: the folder of the bag. floor: the plan on which its poses lie. start_s, length_s: of the recording, from
    its first drawn image on.

    Raises:
        CaptureError: no pose, or no image that was drawn, in this time.
    """
    plan, poses, trail = _Plan(floor), read_poses(replayed, topics.POSE), []
    pictures = []
    for stamp_ns, drawing in _drawings(replayed, start_s, length_s):
        map_from_base = poses.at(stamp_ns)
        if map_from_base is not None:
            trail.append(plan.pixel(map_from_base.translation[:2]))
        pictures.append(_beside(drawing, plan.with_robot(map_from_base, trail)))
    if not pictures:
        raise CaptureError(f"{replayed}: no image was localized from {start_s:g} s on")
    data = io.BytesIO()
    duration_ms = round(1000 / PICTURES_PER_S)
    first, *others = pictures
    first.save(data, "WEBP", save_all=True, append_images=others, duration=duration_ms, loop=0, quality=QUALITY)
    write_bytes(path, data.getvalue())


def _drawings(replayed: Path, start_s: float, length_s: float) -> Iterator[tuple[int, PilImage.Image]]:
    """Yield stamps and images with their landmarks, as many of a second as are shown of it."""
    with open_bag(replayed) as bag:
        images = ((image_stamp_ns(message), message) for _, message in bag.messages(topics.MATCHES))
        first_ns, due_ns = None, 0
        for stamp_ns, message in images:
            if first_ns is None:
                first_ns, due_ns = stamp_ns, stamp_ns + round(start_s * 1e9)
            if stamp_ns > first_ns + (start_s + length_s) * 1e9:
                return
            if stamp_ns >= due_ns:
                due_ns += round(1e9 * SPEED / PICTURES_PER_S)
                yield stamp_ns, _of_height(PilImage.fromarray(decode_bytes(bytes(message.data))))


class _Plan:
    """A floor map as a picture HEIGHT pixels high, its x axis to the right, cut to what is known."""

    def __init__(self, floor: FloorMap) -> None:
        cells = np.full((*floor.shape, 3), rgb(UNKNOWN), dtype=np.uint8)
        cells[floor.free], cells[floor.occupied] = 255, rgb(WALL)
        known = np.argwhere(floor.free | floor.occupied)
        self._low, high = known.min(axis=0), known.max(axis=0) + 1
        cut = cells[self._low[0] : high[0], self._low[1] : high[1]][::-1]
        self._picture = _of_height(PilImage.fromarray(np.ascontiguousarray(cut)))
        self._floor, self._rows = floor, len(cut)

    def pixel(self, xy: Array) -> Point:
        """Return where a point of the map (x, y) is in the picture."""
        column, row = self._floor.grid_of(xy) - self._low[::-1]
        scale = HEIGHT / self._rows
        return float(scale * column), float(scale * (self._rows - row))

    def with_robot(self, map_from_base: Pose | None, trail: Sequence[Point]) -> PilImage.Image:
        """Draw where the robot is, unless it is lost, and has been."""
        picture = self._picture.copy()
        draw = ImageDraw.Draw(picture)
        if len(trail) > 1:
            draw.line(list(trail), fill=BLUE, width=3)
        if map_from_base is not None:
            cos, sin = np.cos(map_from_base.yaw()), np.sin(map_from_base.yaw())
            corners = ARROW @ np.array([[cos, sin], [-sin, cos]]) + map_from_base.translation[:2]
            draw.polygon([self.pixel(corner) for corner in corners], fill=VERMILION)
        return picture


def _of_height(picture: PilImage.Image) -> PilImage.Image:
    return picture.resize((round(picture.width * HEIGHT / picture.height), HEIGHT), PilImage.Resampling.BOX)


def _beside(left: PilImage.Image, right: PilImage.Image) -> PilImage.Image:
    both = PilImage.new("RGB", (left.width + right.width, HEIGHT))
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    return both
