"""What a person asks `campose align` to go by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campose_core.capture.external_poses import reference_parts
from campose_core.errors import AlignmentError


@dataclass(frozen=True, kw_only=True)
class TrackerRequest:
    """path: TUM file, CSV table or bag; topic of the bag, None for its only one. The clock may be another one.

    mounting: x, y, z, qx, qy, qz, qw of about where the camera sits on the tracked body, None where nothing is known.
    """

    path: Path
    topic: str | None = None
    mounting: tuple[float, ...] | None = None

    def options(self) -> dict[str, Any]:
        """Return them for `scene.yaml`; the time of the last change is added by the caller."""
        mounting = None if self.mounting is None else list(self.mounting)
        return {"tracker": str(self.path.resolve()), "tracker_topic": self.topic, "mounting": mounting}


@dataclass(frozen=True, kw_only=True)
class AlignRequest:
    """What to align by; nothing given means by what the recordings hold.

    reference: TUM file of map_from_cam, of the recording `source` where the stamps do not tell. tracker: of a body that
    the camera of `source` sits on. points: CSV of point pairs. distance: two frames and the metres between their
    cameras. camera_height_m: above the floor, None for that of the floor that was seen. markers: markers.yaml.
    recorded: kinds out of the recordings (`--from`), each with `:TOPIC` behind it where only one is meant. imu: topic
    of an IMU that tells where frames between others were taken, "" for the only one of each bag.
    """

    reference: Path | None = None
    source: str | None = None
    tracker: TrackerRequest | None = None
    points: Path | None = None
    distance: tuple[str, str, float] | None = None
    camera_height_m: float | None = None
    markers: Path | None = None
    recorded: tuple[str, ...] = ()
    imu: str | None = None

    def options(self) -> dict[str, Any]:
        """Return them for `scene.yaml`: changes with the files and with what was asked.

        Raises:
            AlignmentError: a file cannot be read.
        """
        options: dict[str, Any] = {}
        for name, path in (("reference", self.reference), ("points", self.points), ("markers", self.markers)):
            if path is not None:
                modified = "modified_ns" if not options else f"{name}_modified_ns"
                file = reference_parts(path)[0] if name == "reference" else path
                options |= {name: str(path.resolve()), modified: _modified_ns(file)}
        if self.tracker is not None:
            options |= {**self.tracker.options(), "tracker_modified_ns": _modified_ns(self.tracker.path)}
        options |= {} if self.source is None else {"source": self.source}
        if self.distance is not None:
            options |= {"distance": list(self.distance), "height_m": self.camera_height_m}
        options |= {} if options and not self.recorded else {"from": list(self.recorded)}
        if self.distance is None and self.camera_height_m is not None:
            options |= {"camera_height_m": self.camera_height_m}
        return options | ({} if self.imu is None else {"imu": self.imu})

    def topics_of(self, kind: str) -> list[str | None]:
        """List what was asked for of a kind out of the recordings; None stands for whatever there is."""
        asked = [kind_and_topic(name) for name in self.recorded]
        return [topic for asked_kind, topic in asked if asked_kind == kind]


def kind_and_topic(name: str) -> tuple[str, str | None]:
    """Split `KIND` or `KIND:TOPIC`."""
    kind, _, topic = name.partition(":")
    return kind, topic or None


def _modified_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise AlignmentError(f"{path}: cannot be read: {error}") from error
