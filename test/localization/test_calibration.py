"""Calibration of covariances: a known inflation is found again, from clean and from spoilt errors."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from walks import BASE_FROM_CAM, drive, poses_of

from campose_core.errors import LocalizationError, MappingError
from campose_core.geometry import Similarity
from campose_core.joining.bend import bend_along
from campose_core.joining.robust_similarity import align_to_poses
from campose_core.landmark_map.held_out import HeldOut
from campose_core.localization.calibration import (
    MIN_ERRORS,
    UNCALIBRATED,
    CovarianceCalibration,
    fit_calibration,
    squared_mahalanobis,
)
from campose_core.residual import Residual
from campose_core.scene.alignment import Alignment
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory


def claims(generator: np.random.Generator, count: int) -> np.ndarray:
    """Covariances (N, 6, 6) as PnP gives them: correlated, of all sizes, about 1 mm and 0.02 degrees."""
    roots = generator.normal(0, 1, (count, 6, 12)) * np.repeat([1e-3, 3e-4], 3)[:, None] / np.sqrt(12)
    return roots @ roots.transpose(0, 2, 1) * generator.uniform(0.2, 5, (count, 1, 1))


def errors_of(generator: np.random.Generator, covariances: np.ndarray) -> np.ndarray:
    return np.einsum("nij,nj->ni", np.linalg.cholesky(covariances), generator.normal(size=(len(covariances), 6)))


def share_inside(errors: np.ndarray, covariances: np.ndarray, level: float) -> float:
    return float(np.mean(squared_mahalanobis(errors, covariances) <= chi2.ppf(level, 6)))


@settings(max_examples=15)
@given(st.integers(0, 1000), st.floats(1.0, 6.0), st.floats(0.0, 0.01), st.floats(0.0, 0.005))
def test_a_known_inflation_is_found_again(seed, factor, floor_m, floor_rad):
    generator = np.random.default_rng(seed)
    truth = CovarianceCalibration(factor, floor_m, floor_rad)
    claimed = claims(generator, 400)
    found = fit_calibration(errors_of(generator, truth(claimed)), claimed)
    fresh = claims(generator, 4000)
    errors = errors_of(generator, truth(fresh))
    for level, least, most in ((0.5, 0.40, 0.60), (0.9, 0.84, 0.95), (0.99, 0.965, 1.0)):
        assert least <= share_inside(errors, found(fresh), level) <= most
    # Not only how much in sum: the axes' own standard deviations, of strong and of weak views.
    sigmas = [np.sqrt(np.diagonal(one(fresh), axis1=1, axis2=2)) for one in (found, truth)]
    assert np.abs(np.log(sigmas[0] / sigmas[1])).mean() < 0.2


def test_a_few_wild_errors_hardly_move_it():
    generator = np.random.default_rng(1)
    truth, claimed = CovarianceCalibration(2.0, 0.002, 0.001), claims(generator, 60)
    errors = errors_of(generator, truth(claimed))
    clean = fit_calibration(errors, claimed)
    errors[:3] += 1.0  # a metre, a radian
    spoilt = fit_calibration(errors, claimed)
    ratio = np.trace(spoilt(claimed), axis1=1, axis2=2) / np.trace(clean(claimed), axis1=1, axis2=2)
    assert (ratio < 2.0).all()


def test_it_never_makes_a_covariance_smaller():
    generator = np.random.default_rng(2)
    claimed = claims(generator, 100)
    assert fit_calibration(0.1 * errors_of(generator, claimed), claimed).factor == 1.0


@pytest.mark.parametrize("values", [(0.9, 0, 0), (np.nan, 0, 0), (1, -1e-3, 0), (1, 0, np.inf)])
def test_a_calibration_without_sense_is_refused(values):
    with pytest.raises(LocalizationError, match="factor of 1 or more"):
        CovarianceCalibration(*values)


def scene_with(folder, held_out: HeldOut | None, residual: Residual, scale: float = 1.0) -> Scene:
    similarity = Similarity(scale, Similarity.identity().rotation, np.zeros(3))
    scene = Scene(folder, "scene", alignment=Alignment(similarity, "test", residual))
    if held_out is not None:
        held_out.save(scene.sfm_dir / "held_out.npz")
    return scene


def held_out(count: int, missed: int = 0) -> HeldOut:
    generator = np.random.default_rng(3)
    claimed = claims(generator, count)
    errors = errors_of(generator, CovarianceCalibration(3.0, 0.004, 0.002)(claimed))
    errors[:missed] = np.nan
    return HeldOut(np.array([f"a/{i}.jpg" for i in range(count)]), errors, claimed, np.full(count, 3.0))


def test_a_scene_without_enough_held_out_keyframes_gets_a_cautious_default(tmp_path, capsys):
    assert CovarianceCalibration.load(scene_with(tmp_path / "old", None, Residual())) == UNCALIBRATED
    assert "mapped by an earlier version" in capsys.readouterr().err
    few = scene_with(tmp_path / "few", held_out(MIN_ERRORS + 5, missed=6), Residual())
    assert CovarianceCalibration.load(few) == UNCALIBRATED
    assert f"only {MIN_ERRORS - 1} held-out keyframes" in capsys.readouterr().err


def test_floors_are_in_metres_after_the_alignment(tmp_path):
    one = CovarianceCalibration.load(scene_with(tmp_path / "one", held_out(50), Residual()))
    ten = CovarianceCalibration.load(scene_with(tmp_path / "ten", held_out(50), Residual(), scale=10.0))
    assert ten.floor_m == pytest.approx(10 * one.floor_m, rel=0.1)
    assert (ten.factor, ten.floor_rad) == pytest.approx((one.factor, one.floor_rad), rel=0.1)


def test_the_residual_of_the_reference_is_part_of_the_floor(tmp_path):
    without = CovarianceCalibration.load(scene_with(tmp_path / "a", held_out(50), Residual()))
    distances = np.linalg.norm(np.random.default_rng(0).normal(0, 0.05, (10000, 3)), axis=1)
    residual = Residual(frames=9.0, median_m=float(np.median(distances)), median_deg=0.5)
    positions_only = replace(residual, median_deg=90.0)
    with_it = CovarianceCalibration.load(scene_with(tmp_path / "b", held_out(50), residual))
    assert with_it.floor_m == pytest.approx(np.hypot(without.floor_m, 0.05), rel=0.03)
    assert with_it.floor_rad > without.floor_rad
    assert CovarianceCalibration.load(scene_with(tmp_path / "c", held_out(50), positions_only)).floor_rad == (
        without.floor_rad
    )


@given(st.integers(10, 300), st.floats(0.3, 2.0), st.floats(0.0, 6.3))
def test_a_bend_without_noise_is_measured_whole(count, periods, phase):
    bend = np.cos(2.0 * np.pi * periods * np.linspace(0.0, 1.0, count) + phase)[:, None] * [0.1, 0.0, 0.3]
    assert 0.8 < bend_along(bend) / np.median(np.linalg.norm(bend, axis=1)) < 1.25


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0.02, 3.0), st.floats(0.0, 1.0))
def test_noise_of_the_reference_is_not_the_maps_and_a_bend_is(seed, noise_m, bend_m):
    """A walk of 200 frames beside a reference that is noisy, in a map that is bent by a parabola."""
    truth = drive(40.0, seed).moved_by(BASE_FROM_CAM)
    along = np.linspace(-1.0, 1.0, len(truth))
    bent = truth.positions + bend_m * (along**2)[:, None] * [0.0, 0.0, 1.0]
    noise = np.random.default_rng(seed).normal(0.0, noise_m, (len(truth), 3))
    reference = Trajectory(truth.stamps_ns, truth.positions + noise, truth.rotations)
    alignment = align_to_poses(poses_of(Trajectory(truth.stamps_ns, bent, truth.rotations)), poses_of(reference))
    left_m = np.linalg.norm(alignment.map_from_sfm.transform(bent) - truth.positions, axis=1)
    floor_m = CovarianceCalibration(1.0, 0.002, 0.001).with_residual(alignment).floor_m
    # A little of the noise may pass for a bend; what the map is off by may not get lost.
    assert 0.6 * np.sqrt(np.mean(left_m**2) / 3.0) < floor_m < 1.5 * left_m.max() / np.sqrt(3.0) + 0.3 * noise_m


def test_a_damaged_file_is_one_clear_line(tmp_path):
    scene = scene_with(tmp_path / "scene", held_out(50), Residual())
    path = scene.sfm_dir / "held_out.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(MappingError, match=r"held_out\.npz is damaged"):
        CovarianceCalibration.load(scene)
    np.savez(path, names=np.array(["a"]), errors=np.zeros((1, 5)), covariances=np.zeros((1, 6, 6)), depths=np.ones(1))
    with pytest.raises(MappingError, match=r"held_out\.npz is damaged .*errors .*shape"):
        CovarianceCalibration.load(scene)
    shutil.rmtree(scene.path)
    with pytest.raises(LocalizationError, match="campose align"):
        CovarianceCalibration.load(Scene(tmp_path / "scene", "scene"))
