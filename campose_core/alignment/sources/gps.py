"""GPS: fixes on a topic, or in the EXIF of photos."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from campose_core.alignment.evidence import Evidence, sigma, width
from campose_core.alignment.solvers.gps import align_to_gps
from campose_core.alignment.sources.base import Borrowed, Part
from campose_core.alignment.sources.recordings import RecordedSource, having, topics
from campose_core.bag.gps import NAV_SAT_FIX, read_gps
from campose_core.bag.gps_fixes import GpsFixes, enu
from campose_core.capture.exif_gps import read_exif_gps
from campose_core.capture.mapped_recordings import MAX_GAP_NS, MappedRecording
from campose_core.errors import AlignmentError
from campose_core.geometry import Array

EXIF = "exif"  # in place of a topic, where photos know where they were taken


class Gps(RecordedSource):
    """Metres east, north and up of the middle of the fixes; the level comes from elsewhere."""

    what = "NavSatFix, or EXIF of photos"
    needs = Part.LEVEL
    lends = frozenset({Part.SCALE})

    def names(self) -> list[str]:
        photos = any(len(read_exif_gps(recording.path)) for recording in self._photos())
        return topics(self.mapped.recordings, [NAV_SAT_FIX]) + [EXIF] * photos

    def has(self, name: str) -> bool:
        return super().has(name) or (name == EXIF and bool(self._photos()))

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        if borrowed.level is None:
            raise AlignmentError(f"{name} has fixes, and nothing tells which way is up: turn while recording")
        if name == EXIF:
            listed = [(recording, read_exif_gps(recording.path)) for recording in self._photos()]
        else:
            recordings = having(self.mapped.recordings, name)
            listed = [(recording, read_gps(recording.path, name, recording.clock)) for recording in recordings]
        fixed = [(recording, fixes) for recording, fixes in listed if len(fixes)]
        return _evidence_of_fixes(f"gps {name}", fixed, borrowed.level.up)

    def _photos(self) -> list[MappedRecording]:
        return [recording for recording in self.mapped.recordings if recording.path.is_dir() and not recording.is_bag]


def _evidence_of_fixes(name: str, listed: list[tuple[MappedRecording, GpsFixes]], up: Array) -> Evidence:
    """Of the fixes of each recording; up (3,), unit, in sfm."""
    origin = listed[0][1].middle()
    camera, lever, target, claimed = [], [], [], []
    for recording, fixes in listed:
        answered, walked = recording.walked.interpolate(fixes.stamps_ns, MAX_GAP_NS)
        # Without a mounting the antenna is taken to be at the camera: GPS errs by more than robots are long.
        known = recording.tf.mounting(recording.camera_frame, fixes.frame_id) if recording.is_bag else None
        camera.append(walked.positions)
        arm = np.array(known.translation) if known else np.zeros(3)
        lever.append(walked.rotations.apply(arm) if len(walked) else np.zeros((0, 3)))
        target.append(enu(fixes, origin)[answered])
        claimed.append(fixes.sigma_m[answered])
    positions, arms, enu_m, sigma_m = (np.concatenate(part) for part in (camera, lever, target, claimed))
    alignment = align_to_gps(positions, enu_m, sigma_m, up)
    for _ in range(3):  # the lever arm is metric: in sfm it has a length once there is a scale
        alignment = align_to_gps(positions + arms / alignment.map_from_sfm.scale, enu_m, sigma_m, up)
    geographic = dict(zip(("latitude_deg", "longitude_deg", "altitude_m"), origin, strict=True))
    alignment = replace(alignment, origin=geographic)
    scale, off_m = alignment.map_from_sfm.scale, sigma(alignment.residual.sigma_m)
    across = width(scale * positions)
    return Evidence(name, alignment, "east, north, up", scale, off_m / across)
