"""Frames that the map could not place, between others that it did: the IMU of their bag knows where they were taken.

A pose by the IMU is given only where its covariance is small. Which frames have one, and how fast the IMU drifts,
stands in reports/imu.json.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.bag.file import is_bag
from campose_core.bag.imu import has_imu
from campose_core.capture.mapped_recordings import clock_of
from campose_core.capture.recording import open_recording
from campose_core.errors import AlignmentError
from campose_core.files import write_text
from campose_core.geometry import Array, Pose, covariance_at_lever
from campose_core.inertial.error_state_filter import ImuNoise, ImuState
from campose_core.inertial.mounting import mounted_imu
from campose_core.inertial.smoother import Drift, PoseFix, measured_drift, smoothed
from campose_core.landmark_map.held_out import HeldOut
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene

log = logging.getLogger(__name__)

REPORT = "imu.json"  # below reports/
GOOD_M, GOOD_DEG = 0.05, 1.0  # one standard deviation over all axes; a pose that is less sure is none
MIN_M, MIN_DEG = 0.005, 0.1  # what a placed frame is taken to be off by at least, per axis
TYPICAL = 0.6501  # standard deviation per axis of errors in three axes of median length 1: 1 / sqrt(median of chi2(3))


@dataclass(frozen=True, eq=False)
class ImuLabel:
    """map_from_cam of a frame by the IMU, and its covariance (6, 6) about the map's axes."""

    map_from_cam: Pose
    covariance: Array

    @property
    def sigma_m(self) -> float:
        """Return the standard deviation of the position, metres, all axes together."""
        return float(np.sqrt(np.trace(self.covariance[:3, :3])))

    @property
    def sigma_deg(self) -> float:
        """Return the standard deviation of the rotation, degrees, all axes together."""
        return float(np.degrees(np.sqrt(np.trace(self.covariance[3:, 3:]))))

    @property
    def is_good(self) -> bool:
        """Tell whether it is sure enough to label a frame by."""
        return self.sigma_m < GOOD_M and self.sigma_deg < GOOD_DEG


def label_by_imu(scene: Scene, topic: str | None = None) -> Scene:
    """Give more frames of the aligned scene poses, and write reports/imu.json; the scene is not yet saved.

    topic: of the IMU in every bag; None takes the only one.

    Raises:
        AlignmentError: the scene is not aligned, or none of its bags has an IMU. CaptureError: an IMU that cannot be
            used (unit, clock, mounting: the message says which).
    """
    if scene.alignment is None:
        raise AlignmentError(f"{scene.path} is not in a metric frame: the IMU needs metres and a level map")
    bags = {name: Path(str(fields.get("path", ""))) for name, fields in sorted(scene.sources.items())}
    bags = {name: path for name, path in bags.items() if path.exists() and is_bag(path) and has_imu(path)}
    if not bags:
        raise AlignmentError(f"no recording of {scene.path} is a bag with an IMU (sensor_msgs/Imu): leave out --imu")
    covariance = fix_covariance(scene)
    labels: dict[str, ImuLabel] = {}
    report: dict[str, Any] = {}
    for source, path in bags.items():
        frames = [frame for frame in scene.frames if frame.source == source]
        found, drifts = _of_source(scene, source, path, frames, covariance, topic)
        good = {name: label for name, label in found.items() if label.is_good}
        labels |= good
        report[source] = {
            "by_imu": {name: {"sigma_m": one.sigma_m, "sigma_deg": one.sigma_deg} for name, one in good.items()},
            "too_unsure": sorted(found.keys() - good.keys()),
            "drift": [vars(drift) for drift in drifts],
        }
        log.info(f"align: {source}: {len(good)} of {len(found)} frames between others have a pose by the IMU")
        for drift in drifts:
            log.info(f"align: {source}: the IMU alone is off {drift.text()}")
    scene.reports_dir.mkdir(exist_ok=True)
    write_text(scene.reports_dir / REPORT, json.dumps(report, indent=1))
    return replace(
        scene,
        frames=tuple(
            replace(frame, map_from_cam=labels[frame.name].map_from_cam) if frame.name in labels else frame
            for frame in scene.frames
        ),
    )


def fix_covariance(scene: Scene) -> Array:
    """Return the covariance (6, 6) of a frame that the map placed: what keyframes were off by in a map without them."""
    path = scene.sfm_dir / "held_out.npz"
    sigma_m, sigma_rad = MIN_M, np.radians(MIN_DEG)
    if path.is_file() and scene.alignment is not None:
        held_out = HeldOut.load(path).transformed(scene.alignment.map_from_sfm)
        if held_out.found.any():
            sigma_m = max(sigma_m, TYPICAL * held_out.median_position)
            sigma_rad = max(sigma_rad, TYPICAL * float(np.radians(held_out.median_deg)))
    return np.diag([sigma_m**2] * 3 + [sigma_rad**2] * 3)


def _of_source(
    scene: Scene, source: str, path: Path, frames: list[SceneFrame], covariance: Array, topic: str | None
) -> tuple[dict[str, ImuLabel], list[Drift]]:
    """Label the frames without a pose that lie between others; also returns the drift of the IMU."""
    recording = open_recording(path, scene.sources[source].get("topic"))
    camera_frame, clock = next(recording.frames()).camera_frame, clock_of(scene.sources[source])
    samples, cam_from_imu = mounted_imu(path, topic, camera_frame, clock)
    fixes = {}
    for frame in frames:
        if frame.map_from_cam is not None:
            map_from_imu = frame.map_from_cam * cam_from_imu
            lever_in_map = map_from_imu.translation - frame.map_from_cam.translation
            fixes[frame.stamp_ns] = PoseFix(map_from_imu, covariance_at_lever(covariance, lever_in_map))
    unplaced = {frame.stamp_ns: frame.name for frame in frames if frame.map_from_cam is None}
    states = smoothed(samples, fixes, list(unplaced), ImuNoise())
    labels = {unplaced[stamp_ns]: _at_camera(state, cam_from_imu) for stamp_ns, state in states.items()}
    return labels, measured_drift(samples, fixes, ImuNoise())


def _at_camera(state: ImuState, cam_from_imu: Pose) -> ImuLabel:
    map_from_cam = state.pose * cam_from_imu.inverse()
    lever_in_map = map_from_cam.translation - state.position
    return ImuLabel(map_from_cam, covariance_at_lever(state.pose_covariance, lever_in_map))
