"""Printed markers in the images of a scene: which ones, how large, where they hang, and what that says of the frame.

markers.yaml:

    dictionary: apriltag_36h11          # or 4x4_50, 5x5_100, ..., as cv2.aruco names them without DICT_
    size_m: 0.16                        # the edge of the black square
    places:                             # of those that were measured; may be left out
      7: {position: [1.2, 0.0, 1.5], quat_xyzw: [0.5, -0.5, -0.5, 0.5]}      # map_from_marker
      8: {position: [4.0, 2.5, 1.5], quat_xyzw: [0.5, 0.5, 0.5, 0.5], size_m: 0.2}

The marker's frame has its origin in the middle of the print, x to the right, y up, z out of the wall.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.alignment.evidence import Evidence, sigma, up_of, width
from campose_core.alignment.solvers.markers import align_to_markers, scale_of_markers, triangulate_corners
from campose_core.alignment.sources.base import AlignmentSource, Borrowed
from campose_core.errors import AlignmentError, GeometryError
from campose_core.extras import load_extra
from campose_core.geometry import FARTHEST_M, Array, Pose
from campose_core.pixels.scene_images import read_image
from campose_core.progress import track
from campose_core.scene.scene import Scene
from campose_core.text import quoted
from campose_core.yaml_files import read_yaml

KEYS = {"dictionary", "size_m", "places"}
Detections = dict[int, Array]  # by the marker's number: its corners in pixels (4, 2), centres at integers


@dataclass(frozen=True, eq=False)
class Markers:
    """dictionary: of cv2.aruco. size_m: of a marker that is not in `sizes_m`. map_from_marker: of those measured."""

    dictionary: str
    size_m: float
    sizes_m: dict[int, float]
    map_from_marker: dict[int, Pose]

    def size_of(self, number: int) -> float:
        """Return the length of the printed edge of a marker, metres."""
        return self.sizes_m.get(number, self.size_m)


class PrintedMarkers(AlignmentSource):
    """A markers.yaml: all of the frame where the place of a marker is known, otherwise the scale."""

    by_hand = True

    def names(self) -> list[str]:
        path = self.mapped.request.markers
        return [] if path is None else [str(path)]

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        markers = read_markers(Path(name))
        try:
            return marker_evidence(self.mapped.scene, self.mapped.poses, markers)
        except AlignmentError as error:
            raise AlignmentError(f"{name}: {error}") from error


def read_markers(path: Path) -> Markers:
    """Read a markers.yaml; see the head of this file.

    Raises:
        AlignmentError: it cannot be read, or a key or value (named) is missing, unknown or none.
    """
    fields = read_yaml(path, AlignmentError)
    if not isinstance(fields, dict) or not {"dictionary", "size_m"} <= fields.keys() or fields.keys() - KEYS:
        raise AlignmentError(f"{path}: needs `dictionary` and `size_m`, and may have `places`; got {_keys(fields)}")
    places = fields.get("places") or {}
    if not isinstance(places, dict):
        raise AlignmentError(f"{path}: `places` must hold `NUMBER: {{position: [x, y, z], quat_xyzw: [...]}}`")
    dictionary = str(fields["dictionary"]).upper().removeprefix("DICT_")
    if re.fullmatch(r"(TAG)?\d\dH\d+", dictionary):  # as apriltag calls its families
        dictionary = f"APRILTAG_{dictionary.removeprefix('TAG')}"
    numbers = range(len(_predefined(dictionary, path).bytesList))
    sizes, poses = {}, {}
    for number, place in places.items():
        try:
            if int(number) not in numbers:
                raise ValueError(f"the dictionary has {len(numbers)}")
            poses[int(number)] = Pose.from_quat_xyzw(place["quat_xyzw"], place["position"])
            if place.keys() - {"quat_xyzw", "position", "size_m"}:
                raise ValueError("unknown keys")
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError, GeometryError) as error:
            raise AlignmentError(
                f"{path}: marker {number!r} needs position: [x, y, z] and quat_xyzw: [x, y, z, w], got {place!r} "
                f"({error})"
            ) from error
        if "size_m" in place:
            sizes[int(number)] = _positive(place["size_m"], f"{path}: size_m of marker {number}")
    return Markers(dictionary, _positive(fields["size_m"], f"{path}: size_m"), sizes, poses)


def marker_evidence(scene: Scene, sfm_from_cam: Mapping[str, Pose], markers: Markers) -> Evidence:
    """Find the markers in the registered frames: all of the map frame where a place is known, otherwise the scale.

    Raises:
        AlignmentError: no marker of this dictionary in the images, or none that was seen from two sides.
    """
    views: dict[int, list[tuple[Pose, Array]]] = {}
    frames = [frame for frame in scene.frames if frame.name in sfm_from_cam]
    detect = MarkerDetector(markers.dictionary)
    for frame in track(frames, "markers"):
        seen = detect(read_image(scene, frame, "L"))
        camera = scene.cameras[frame.camera]
        for number, pixels in seen.items():
            views.setdefault(number, []).append((sfm_from_cam[frame.name], camera.rays(pixels)))
    if not views:
        raise AlignmentError(f"no marker of {markers.dictionary} is in any of the {len(frames)} registered frames")
    corners: dict[int, Array] = {}
    for number, listed in views.items():
        four = triangulate_corners([pose for pose, _ in listed], np.array([rays for _, rays in listed]))
        if four is not None:
            corners[number] = four
    return evidence_of_corners(corners, markers, np.array([sfm_from_cam[frame.name].translation for frame in frames]))


def evidence_of_corners(corners: Mapping[int, Array], markers: Markers, path_sfm: Array) -> Evidence:
    """Judge triangulated corners (4, 3) by number, in sfm; path_sfm (N, 3): the camera's."""
    sizes = {number: markers.size_of(number) for number in corners}
    by_size = scale_of_markers(corners, sizes)
    if not markers.map_from_marker:
        return Evidence(f"size of {by_size.markers} markers", scale=by_size.scale, scale_sigma=by_size.sigma)
    alignment = align_to_markers(corners, sizes, markers.map_from_marker)
    similarity = alignment.map_from_sfm
    known = np.concatenate([corners[number] for number in corners.keys() & markers.map_from_marker.keys()])
    across = width(similarity.scale * known)
    off_m = max(sigma(alignment.residual.median_m), 0.002)
    turn_deg = max(float(np.degrees(np.arctan2(off_m, across))), 0.1)
    farthest = similarity.scale * width(np.concatenate([path_sfm, known]))
    return Evidence(
        f"places of {alignment.residual.markers:.0f} markers", alignment, "map", similarity.scale, off_m / across,
        up_of(similarity), turn_deg, off_m + farthest * float(np.radians(turn_deg)), turn_deg,
    )  # fmt: skip


class MarkerDetector:
    """Finds the markers of one dictionary in grey images.

    Raises:
        AlignmentError: cv2.aruco knows no such dictionary.
    """

    def __init__(self, dictionary: str) -> None:
        aruco: Any = load_extra("cv2", "map").aruco
        parameters = aruco.DetectorParameters()
        # Whole pixels would put an edge that is 40 pixels long off by some percent.
        parameters.cornerRefinementMethod = aruco.CORNER_REFINE_SUBPIX
        self._detector = aruco.ArucoDetector(_predefined(dictionary, None), parameters)

    def __call__(self, grey: np.ndarray) -> Detections:
        """List corners in pixels (4, 2) of each marker: top left, top right, bottom right, bottom left of the print.

        A number that is seen twice in one image is left out: one of the two is not the marker.
        """
        found, numbers, _ = self._detector.detectMarkers(grey)
        listed = [] if numbers is None else [int(number) for number in numbers.ravel()]
        return {
            number: np.asarray(four, dtype=np.float64).reshape(4, 2)
            for number, four in zip(listed, found, strict=True)
            if listed.count(number) == 1
        }


def _predefined(dictionary: str, path: Path | None) -> Any:
    aruco: Any = load_extra("cv2", "map").aruco
    known = {name.removeprefix("DICT_").upper(): name for name in dir(aruco) if name.startswith("DICT_")}
    if dictionary.upper() not in known:
        where = "" if path is None else f"{path}: "
        raise AlignmentError(f"{where}unknown dictionary {dictionary!r}; known: {', '.join(sorted(known)).lower()}")
    return aruco.getPredefinedDictionary(getattr(aruco, known[dictionary.upper()]))


def _keys(fields: Any) -> str:
    return quoted(map(str, fields)) if isinstance(fields, dict) else type(fields).__name__


def _positive(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= FARTHEST_M:
        raise AlignmentError(f"{what} must be a positive number of metres, got {value!r}")
    return float(value)
