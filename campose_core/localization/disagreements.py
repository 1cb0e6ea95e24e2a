"""Cameras that go on to see the body where another camera, which is believed, does not."""

from __future__ import annotations

from campose_core.localization.hypotheses import contradict

OFTEN = 10  # images in a row: a camera may mistake a few


class Disagreements:
    """Told of each image of a camera that shows a place, while one is believed."""

    def __init__(self) -> None:
        self._in_a_row: dict[str, int] = {}
        self.fault = ""  # and the cure; empty while the cameras agree

    def agrees(self, camera: str) -> None:
        """Count an image whose place is believed."""
        if self._in_a_row.pop(camera, 0) >= OFTEN:
            self.fault = ""

    def differs(self, camera: str, believed: str) -> None:
        """Count an image of `camera` that contradicts the place that the camera `believed` told."""
        if camera == believed:
            return  # the body jumped, or it mistakes something
        self._in_a_row[camera] = self._in_a_row.get(camera, 0) + 1
        if self._in_a_row[camera] >= OFTEN:
            self.fault = contradict({camera}, {believed})
