"""How uncertain a pose may be to be given out."""

import numpy as np
import pytest

from campose_core.localization.estimators.base import MAX_SIGMA_M, is_sure, most_sigma
from campose_core.map_scale import MEASURED, UNKNOWN, MapScale, ScaleBasis

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
