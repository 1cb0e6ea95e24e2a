"""How well each source of a map frame places a mapped scene: trajectory error of the cameras against the truth.

    python -m benchmarks.alignment --scene SCENE --world WORLD

SCENE was mapped from WORLD/mapping.bag (`campose simulate WORLD`, then `campose build`); nothing in it is changed. Root
mean square of the position error and median of the rotation error over all registered frames. Odometry begins with the
drive, so its frame is moved to the true start pose and nowhere else; GPS errors are those of east, north, up. Sources
that the recording does not hold are made from the truth with the noise that the row names. Sources that do not fit
through the noise are refused, and the row says so.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.alignment.evidence import angle_deg, up_of
from campose_core.alignment.request import AlignRequest
from campose_core.alignment.selection import gather
from campose_core.alignment.solvers.gps import align_to_gps
from campose_core.alignment.solvers.gravity import STANDARD_GRAVITY, up_by_gravity
from campose_core.alignment.solvers.odometry import MovedCamera, align_to_odometry
from campose_core.alignment.sources.base import MappedScene
from campose_core.alignment.sources.distance import scale_of_distance
from campose_core.alignment.sources.table import sources_of
from campose_core.cli.console import show_log
from campose_core.errors import AlignmentError
from campose_core.files import write_bytes
from campose_core.floor import FloorMap
from campose_core.geometry import Array, Pose, Similarity
from campose_core.joining.robust_similarity import align_to_poses
from campose_core.plotting.figure import WIDTH_INCHES, new_figure, png_of
from campose_core.plotting.floor_plan import corners_around, draw_floor
from campose_core.plotting.palette import BLUE, VERMILION
from campose_core.scene.scene import Scene
from campose_core.sfm.registration import SfmPoses
from campose_core.simulation.drive import BASE_FROM_CAM, drifting_odometry
from campose_core.trajectory import Trajectory, read_tum

SEEDS = 20
UP = np.array([0.0, 0.0, 1.0])


class Mapped:
    """The registered frames of the scene, in sfm and in truth, and the robot that carried the camera."""

    def __init__(self, scene: Scene, truth: Trajectory) -> None:
        self.scene, self.poses = scene, SfmPoses.load(scene).poses()
        map_from_cam = dict(truth)
        frames = [f for f in scene.frames if f.name in self.poses and f.stamp_ns in map_from_cam]
        self.sfm = Trajectory.from_poses([f.stamp_ns for f in frames], [self.poses[f.name] for f in frames], "sfm")
        self.truth = Trajectory.from_poses([f.stamp_ns for f in frames], [map_from_cam[f.stamp_ns] for f in frames])
        self.base = truth.moved_by(BASE_FROM_CAM.inverse(), "base_link")

    def errors(self, found: Similarity, map_from_frame: Pose | None = None) -> tuple[float, float]:
        """Root mean square in centimetres, median in degrees."""
        placed = Pose.identity() if map_from_frame is None else map_from_frame
        positions = placed.transform(found.transform(self.sfm.positions))
        rotations = placed.rotation * found.rotation * self.sfm.rotations
        off = np.linalg.norm(positions - self.truth.positions, axis=1)
        turned = (rotations.inv() * self.truth.rotations).magnitude()
        return 100 * float(np.sqrt(np.mean(off**2))), float(np.degrees(np.median(turned)))

    def by_odometry(self, odometry: Trajectory) -> tuple[float, float]:
        odom_from_cam = odometry.moved_by(BASE_FROM_CAM)
        known, at = odom_from_cam.interpolate(self.sfm.stamps_ns)
        walked = self.sfm.select(known)
        found = align_to_odometry([MovedCamera(*([t.pose(i) for i in range(len(t))] for t in (walked, at)))])
        start = self.base.pose(0) * odometry.pose(0).inverse()
        return self.errors(found.map_from_sfm, start)


def slipping(odometry: Trajectory, seed: int) -> Trajectory:
    """The wheels turn on for 2 s, as if the robot went another 1.5 m, somewhere on the way."""
    i = int(np.random.default_rng(seed).integers(len(odometry) // 10, len(odometry)))
    ramp = np.clip((odometry.stamps_ns - odometry.stamps_ns[i]) / 2e9, 0, 1)
    forward = odometry.rotations[i].apply([1.5, 0.0, 0.0])
    return Trajectory(odometry.stamps_ns, odometry.positions + ramp[:, None] * forward, odometry.rotations)


def by_noisy_poses(mapped: Mapped, seed: int, position_m: float, turn_deg: float) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    noisy = mapped.truth.positions + rng.normal(0, position_m, mapped.truth.positions.shape) * (1, 1, 0)
    turn = Rotation.from_rotvec(np.outer(rng.normal(0, np.radians(turn_deg), len(noisy)), UP))
    reference = Trajectory(mapped.truth.stamps_ns, noisy, turn * mapped.truth.rotations)
    found = align_to_poses(*([t.pose(i) for i in range(len(t))] for t in (mapped.sfm, reference)))
    return mapped.errors(found.map_from_sfm)


def by_gps(mapped: Mapped, up: Array, seed: int, sigma_m: float) -> tuple[float, float]:
    """Every tenth fix jumps by up to 50 m."""
    rng = np.random.default_rng(seed)
    fixes = mapped.truth.positions + rng.normal(0, sigma_m, mapped.truth.positions.shape)
    jumps = rng.random(len(fixes)) < 0.1
    fixes[jumps] += rng.uniform(-50, 50, (int(jumps.sum()), 3))
    found = align_to_gps(mapped.sfm.positions, fixes, np.full(len(fixes), sigma_m), up)
    return mapped.errors(found.map_from_sfm)


def gravity_tilt(mapped: Mapped, true_up: Array, seed: int) -> tuple[float, float]:
    """No position: only by how many degrees up is off, of an IMU in the camera with 0.5 m/s^2 of noise."""
    force = mapped.truth.rotations.inv().apply(STANDARD_GRAVITY * UP)
    force = force + np.random.default_rng(seed).normal(0, 0.5, force.shape)
    return np.nan, angle_deg(up_by_gravity(mapped.sfm.stamps_ns, mapped.sfm.rotations, force).up, true_up)


def by_distance(mapped: Mapped, up: Array, seed: int) -> tuple[float, float]:
    """The scale from two frames, measured to 1 cm; level by `up`; heading and origin are taken from the truth."""
    rng = np.random.default_rng(seed)
    path = mapped.sfm.positions
    i, j = rng.integers(len(path), size=2)
    metres = float(np.linalg.norm(mapped.truth.positions[i] - mapped.truth.positions[j])) + rng.normal(0, 0.01)
    scale = scale_of_distance(path[i], path[j], path, max(metres, 0.01))
    turned = Rotation.align_vectors([UP], [up])[0]
    heading = (mapped.truth.rotations[0] * (turned * mapped.sfm.rotations[0]).inv()).as_euler("zyx")[0]
    rotation = Rotation.from_rotvec(heading * UP) * turned
    return mapped.errors(Similarity(scale, rotation, mapped.truth.positions[0] - scale * rotation.apply(path[0])))


def picture(mapped: Mapped, odometry: Trajectory) -> bytes:
    """The floor with the true path, what odometry made of it, and the map that was aligned to that odometry."""
    start = mapped.base.pose(0) * odometry.pose(0).inverse()
    drifted = odometry.moved_by(BASE_FROM_CAM)
    known, at = drifted.interpolate(mapped.sfm.stamps_ns)
    pairs = [[t.pose(i) for i in range(len(t))] for t in (mapped.sfm.select(known), at)]
    found = align_to_odometry([MovedCamera(*pairs)]).map_from_sfm
    (left, bottom), (right, top) = corners_around(mapped.truth.positions[:, :2])
    figure = new_figure(WIDTH_INCHES, WIDTH_INCHES * (top - bottom) / (right - left) + 0.9)
    axes = figure.add_subplot()
    if mapped.scene.floor_yaml.is_file():
        draw_floor(axes, FloorMap.load(mapped.scene.floor_yaml))
    for positions, colour, width, label in (
        (mapped.truth.positions, "#bbbbbb", 5.0, "true path"),
        (start.transform(drifted.positions), VERMILION, 1.2, "odometry by itself"),
        (start.transform(found.transform(mapped.sfm.positions)), BLUE, 1.6, "the map, aligned to that odometry"),
    ):
        axes.plot(*positions[:, :2].T, color=colour, linewidth=width, label=label)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    figure.legend(*axes.get_legend_handles_labels(), loc="upper center", ncols=3, frameon=False)
    return png_of(figure)


def row(name: str, measure: Callable[[int], tuple[float, float]], seeds: int = SEEDS) -> None:
    found, refused = [], ""
    for seed in range(seeds):
        try:
            found.append(measure(seed))
        except AlignmentError as error:
            refused = str(error)
    if not found:
        print(f"{name:44} refused: {refused}")
        return
    (ate, turn), (worst, worst_turn) = np.median(found, axis=0), np.max(found, axis=0)
    position = f"{ate:9.1f}{worst:9.1f}" if np.isfinite(ate) else f"{'-':>9}{'-':>9}"
    print(f"{name:44}{position}{turn:9.2f}{worst_turn:9.2f}{seeds - len(found):9}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scene", required=True, type=Path)
    parser.add_argument("--world", required=True, type=Path)
    parser.add_argument("--image", type=Path, help="PNG of the paths over the floor, by odometry of 4 %% error")
    options = parser.parse_args()
    mapped = Mapped(Scene.open(options.scene), read_tum(options.world / "mapping.tum"))
    if options.picture:
        write_bytes(options.picture, picture(mapped, drifting_odometry(mapped.base, 0.04, 0)))
    exact = align_to_poses(*([t.pose(i) for i in range(len(t))] for t in (mapped.sfm, mapped.truth))).map_from_sfm
    print(f"{len(mapped.sfm)} frames, {len(mapped.truth) and mapped.truth.interval_text()}, {SEEDS} draws a row\n")
    print(f"{'':44}{'cm':>9}{'worst':>9}{'deg':>9}{'worst':>9}{'refused':>9}")
    row("the true poses", lambda seed: mapped.errors(exact), 1)
    whole = MappedScene(mapped.scene, AlignRequest())
    gathered = gather(whole, sources_of(whole))
    for evidence in gathered.evidence:
        if evidence.alignment is not None:
            similarity = evidence.alignment.map_from_sfm
            start = None if evidence.frame == "map" else mapped.base.pose(0)
            row(f"recorded: {evidence.name}", lambda seed, s=similarity, m=start: mapped.errors(s, m), 1)  # type: ignore[misc]
    for refusal in gathered.refusals:
        print(f"recorded, not used: {refusal}")
    row("odometry, 2 %", lambda seed: mapped.by_odometry(drifting_odometry(mapped.base, 0.02, seed)))
    row(
        "odometry, 2 %, slipping for 2 s",
        lambda seed: mapped.by_odometry(slipping(drifting_odometry(mapped.base, 0.02, seed), seed)),
    )
    row("odometry, 0.5 %", lambda seed: mapped.by_odometry(drifting_odometry(mapped.base, 0.005, seed)))
    row("poses, 5 cm and 1 deg of noise", lambda seed: by_noisy_poses(mapped, seed, 0.05, 1.0))
    level = gathered.level.up if gathered.level else up_of(exact)
    row("GPS, 2 m, a tenth jumps", lambda seed: by_gps(mapped, level, seed, 2.0))
    row("GPS, 0.2 m, a tenth jumps", lambda seed: by_gps(mapped, level, seed, 0.2))
    row("GPS, 0.02 m, a tenth jumps", lambda seed: by_gps(mapped, level, seed, 0.02))
    row("gravity (level alone)", lambda seed: gravity_tilt(mapped, up_of(exact), seed))
    row("one distance, start pose given", lambda seed: by_distance(mapped, level, seed))


if __name__ == "__main__":
    show_log()
    main()
