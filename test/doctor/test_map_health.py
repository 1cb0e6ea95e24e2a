"""Scale, level and bend: a map that was hurt says how."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from two_rooms import drive, floor_map, mapped, spin

from campose_core.doctor.map_health import health_of, surface_shape
from campose_core.geometry import Similarity
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.residual import Check, Residual
from campose_core.scene.alignment import Alignment

WALK = mapped([*spin(2.5, 2.0), *drive(np.arange(3.0, 7.5, 0.25), 0), *spin(7.5, 2.0)], per_m2=60)
ALIGNED = Alignment(Similarity.identity(), "reference poses", Residual(median_m=0.01, median_deg=0.1))


def moved(turn_deg: float = 0.0, shift=(0.0, 0.0, 0.0)) -> Landmarks:
    return WALK.transformed(Similarity(1.0, Rotation.from_euler("y", turn_deg, degrees=True), np.array(shift)))


def test_a_true_map_has_no_complaints():
    health = health_of(WALK, ALIGNED, floor_map())
    assert health.complaints == []
    assert health.camera_height_m == pytest.approx(0.8)
    assert health.camera_height_spread_m == pytest.approx(0.0, abs=1e-6)
    assert health.tilt_by_planes_deg == pytest.approx(0.0, abs=0.05)
    assert health.floor.height_m == pytest.approx(0.0, abs=0.005)
    assert health.keyframes_on_free_floor == 1.0
    assert health.landmarks_on_walls > 0.95


def test_a_tilted_map_is_told_by_how_much():
    health = health_of(moved(turn_deg=2.0), ALIGNED, None)
    assert health.tilt_by_planes_deg == pytest.approx(2.0, abs=0.1)
    assert health.floor.slope_deg == pytest.approx(2.0, abs=0.1)
    assert any("tilted by 2.0 deg" in text for text in health.complaints)


def test_a_floor_off_zero_is_told():
    health = health_of(moved(shift=(0.0, 0.0, 0.2)), ALIGNED, None)
    assert any("+20 cm from z = 0" in text for text in health.complaints)


def test_a_bent_map_is_told():
    bend = lambda xyz: xyz + np.column_stack([np.zeros((len(xyz), 2)), 0.012 * (xyz[:, 0] - 5.0) ** 2])  # noqa: E731
    bent = replace(WALK, xyz=bend(WALK.xyz), frame_positions=bend(WALK.frame_positions))
    health = health_of(bent, ALIGNED, None)
    assert any("bent" in text for text in health.complaints)


def test_a_map_beside_its_floor_map_is_told():
    health = health_of(moved(shift=(0.0, 2.5, 0.0)), ALIGNED, floor_map())
    assert any("keyframes stand where the floor map is not free" in text for text in health.complaints)
    assert health.landmarks_on_walls < 0.6


def test_sources_that_disagree_and_large_residuals_are_told():
    checks = (Check("odometry", scale_ratio=1.1, agree=False), Check("gravity", agree=True))
    doubtful = replace(ALIGNED, residual=Residual(median_m=0.4), checks=checks)
    complaints = health_of(WALK, doubtful, None).complaints
    assert any(text.startswith("odometry disagrees") for text in complaints)
    assert any("off by 0.40 m" in text for text in complaints)
    assert len(complaints) == 2


def test_the_shape_of_a_surface_is_that_of_its_quadratic():
    generator = np.random.default_rng(0)
    x, y = generator.uniform(-5, 5, (2, 400))
    tilted = surface_shape(np.column_stack([x, y, 0.3 + np.tan(np.radians(1.0)) * x]))
    assert asdict(tilted) == pytest.approx({"slope_deg": 1.0, "height_m": 0.3, "bend_m": 0.0}, abs=0.02)
    assert surface_shape(np.column_stack([x, y, 0.01 * x * x])).bend_m == pytest.approx(0.22, abs=0.03)
    assert surface_shape(np.column_stack([x, 0 * x, 0 * x])) is None  # a line has no plane
