"""How uncertain a pose may be to be given out."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from campose_core.landmark_map.held_out import HeldOut
from campose_core.localization.estimators.base import MAX_SIGMA_M, is_sure, most_sigma
from campose_core.localization.estimators.structure import StructureEstimator
from campose_core.map_scale import MEASURED, UNKNOWN, MapScale, ScaleBasis
from campose_core.residual import Residual
from campose_core.scene.scene import Scene

ASSUMED = MapScale(ScaleBasis.ASSUMED, 0.15)


def covariance(sigma):
    return np.diag(np.array([0.1, 1.0, 0.2, 1.0, 1.0, 1.0]) * sigma) ** 2


def test_the_worst_direction_decides():
    assert is_sure(covariance(0.99 * MAX_SIGMA_M))
    assert not is_sure(covariance(1.01 * MAX_SIGMA_M))


@pytest.mark.parametrize("depth", [0.01, 3.0, 30.0])
def test_measured_metres_are_held_to_however_far_one_sees(depth):
    assert most_sigma(MEASURED, depth) == MAX_SIGMA_M


def test_assumed_metres_are_borne_as_metres_indoors_and_as_a_share_of_a_street():
    assert most_sigma(ASSUMED, 3.0) == MAX_SIGMA_M
    assert MAX_SIGMA_M < most_sigma(ASSUMED, 30.0) < 1.0


@pytest.mark.parametrize("unit", [0.01, 1.0, 100.0])
def test_an_unknown_unit_decides_nothing(unit):
    """The same map in another unit gives out the same poses."""
    assert most_sigma(UNKNOWN, 3.0 * unit) == pytest.approx(unit * most_sigma(UNKNOWN, 3.0))


@pytest.mark.slow
def test_a_map_that_lies_too_far_from_its_reference_says_that_all_will_be_lost(small_scene, tmp_path, capsys):
    scene = Scene.open(shutil.copytree(small_scene, tmp_path / "scene"))
    for median_m, said in ((0.05, False), (0.9, True)):
        residual = Residual(frames=40.0, median_m=median_m, median_deg=0.5)
        StructureEstimator.load(replace(scene, alignment=replace(scene.alignment, residual=residual)))
        assert ("as its reference has it only to" in (found := capsys.readouterr().err)) is said
        assert ("all frames will be LOST" in found) is said


@pytest.mark.slow
def test_a_map_that_does_not_find_its_own_keyframes_says_that_all_will_be_lost(small_scene, tmp_path, capsys):
    scene = Scene.open(shutil.copytree(small_scene, tmp_path / "scene"))
    scene = replace(scene, alignment=replace(scene.alignment, residual=Residual(height_m=1.45)))
    held_out = HeldOut.load(scene.sfm_dir / "held_out.npz")
    StructureEstimator.load(scene)
    assert "LOST" not in capsys.readouterr().err
    off = np.random.default_rng(0).normal(0.0, 2.0, held_out.errors.shape) * [1, 1, 1, 0, 0, 0]
    replace(held_out, errors=held_out.errors + off).save(scene.sfm_dir / "held_out.npz")
    StructureEstimator.load(scene)
    assert "by keyframes that were left out of it" in (found := capsys.readouterr().err)
    assert "all frames will be LOST" in found
