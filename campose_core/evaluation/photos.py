"""The frames that a report shows, each beside the nearest image of the map."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image as PilImage

from campose_core.evaluation.frame_errors import FrameErrors
from campose_core.evaluation.table import degrees_text, metres_text
from campose_core.frame import Image

ImageOf = Callable[[int], Image | None]

WORST, APART_NS = 6, 2 * 10**9  # frames, which are not of one moment
LONGEST_SIDE = 400


class ShownFrame(NamedTuple):
    """A frame of the errors by its row, and why it is shown."""

    row: int
    why: str


class MapImage(NamedTuple):
    """An image of the map, its name, and how far from a frame it was taken."""

    image: Image
    name: str
    distance_m: float
    angle_deg: float


def frames_to_show(errors: FrameErrors) -> list[ShownFrame]:
    """Choose the worst answers, the middle of the longest silences, the median and the best answer."""
    answered = np.flatnonzero(errors.answered)
    ranked = answered[np.argsort(errors.position_m[answered], kind="stable")].tolist()
    worst: list[int] = []
    for row in reversed(ranked):
        if all(abs(errors.stamps_ns[row] - errors.stamps_ns[other]) >= APART_NS for other in worst):
            worst.append(row)
        if len(worst) == WORST:
            break
    shown = [ShownFrame(row, "worst" if i == 0 else "next worst of another moment") for i, row in enumerate(worst)]
    edges = np.diff((~errors.answered).astype(np.int8), prepend=0, append=0)
    silences = zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True)
    longest = sorted(silences, key=lambda span: span[0] - span[1])[:2]
    shown += [ShownFrame((first + end) // 2, f"no answer to {end - first} frames") for first, end in longest]
    if ranked:
        shown += [ShownFrame(ranked[(len(ranked) - 1) // 2], "median"), ShownFrame(ranked[0], "best")]
    first_of_row = {frame.row: frame for frame in reversed(shown)}
    return [frame for frame in shown if first_of_row[frame.row] is frame]


def html_photos(
    errors: FrameErrors, image_of: ImageOf, map_image_of: Callable[[int], MapImage | None] | None = None
) -> str:
    """Write the frames to show that have an image, each beside the map's; empty where none has one.

    image_of: the image taken at a stamp. map_image_of: the nearest one of the map, by row.
    """
    parts = []
    for row, why in frames_to_show(errors):
        image = image_of(int(errors.stamps_ns[row]))
        if image is None:
            continue
        seconds = (errors.stamps_ns[row] - errors.stamps_ns[0]) / 1e9
        said = ""
        if errors.answered[row]:
            said = f": {metres_text(errors.position_m[row])}, {degrees_text(errors.rotation_deg[row])}"
        beside = None if map_image_of is None else map_image_of(row)
        pictures = _photo(image, f"the frame at {seconds:.1f} s")
        caption = f"{why}{said}, at {seconds:.1f} s"
        if beside is not None:
            pictures += _photo(beside.image, f"the nearest image of the map, {beside.name}")
            caption += f". Right: the nearest image of the map, {beside.name}, {metres_text(beside.distance_m)} and "
            caption += f"{degrees_text(beside.angle_deg)} from the truth"
        parts.append(
            f'<figure class="photos"><div>{pictures}</div><figcaption>{html.escape(caption)}</figcaption></figure>\n'
        )
    return "".join(parts)


def _photo(image: Image, what: str) -> str:
    small = PilImage.fromarray(image)
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    data = io.BytesIO()
    small.save(data, format="JPEG", quality=75)
    source = base64.b64encode(data.getvalue()).decode()
    return f'<img class="photo" alt="{html.escape(what)}" src="data:image/jpeg;base64,{source}">'
