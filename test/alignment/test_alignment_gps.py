"""The map frame out of GPS that is noisy, biased and jumps."""

import numpy as np
import pytest
from walks import BASE_FROM_CAM, drive, reconstructed, similarity

from campose_core.alignment.solvers.gps import align_to_gps
from campose_core.bag.gps_fixes import GpsFixes, enu
from campose_core.errors import AlignmentError, CaptureError

UP = np.array([0.0, 0.0, 1.0])


def outdoors(seed: int, noise_m: float, jumping: float = 0.0, speed: float = 4.0):
    """sfm positions, fixes in ENU, and map_from_sfm, of a drive whose map frame is ENU."""
    rng = np.random.default_rng([seed, 3])
    map_from_sfm = similarity(seed)
    truth = drive(60, seed, speed=speed).moved_by(BASE_FROM_CAM)
    sfm = reconstructed(truth, map_from_sfm, seed)
    fixes = truth.positions + rng.normal(0, noise_m, (len(truth), 3)) * (1, 1, 2)
    jumped = rng.random(len(truth)) < jumping
    fixes[jumped] += rng.uniform(-80, 80, (int(jumped.sum()), 3))
    return sfm.positions, fixes, map_from_sfm, truth.positions


@pytest.mark.parametrize("seed", range(8))
def test_jumping_gps_gives_scale_heading_and_place(seed):
    sfm, fixes, map_from_sfm, truth = outdoors(seed, 1.0, jumping=0.3)
    up = map_from_sfm.rotation.inv().apply(UP)
    found = align_to_gps(sfm, fixes, np.full(len(sfm), 1.0), up)
    off = found.map_from_sfm.transform(sfm) - truth
    assert np.abs(off[:, :2]).max() < 1.0
    assert abs(off[:, 2].mean()) < 0.6
    assert found.map_from_sfm.scale == pytest.approx(map_from_sfm.scale, rel=0.02)
    assert found.residual.jumped >= 0.2 * len(sfm)
    assert found.residual.median_m == pytest.approx(1.18, rel=0.25)  # of a Rayleigh distribution
    np.testing.assert_allclose(found.map_from_sfm.rotation.apply(up), UP, atol=1e-9)


def test_a_path_shorter_than_the_noise_is_refused_with_how_far_to_walk():
    sfm, fixes, map_from_sfm, _ = outdoors(1, 1.5, speed=0.5)
    up = map_from_sfm.rotation.inv().apply(UP)
    with pytest.raises(
        AlignmentError, match=r"path is \d\.\d m wide, and GPS here is good to \d\.\d m: .* times as far"
    ):
        align_to_gps(sfm, fixes, np.full(len(sfm), 1.5), up)
    # Neighbouring fixes err alike: how well they fit a short path says nothing, what they claim counts.
    smooth = map_from_sfm.transform(sfm)
    with pytest.raises(AlignmentError, match=r"good to 5\.0 m"):
        align_to_gps(sfm, smooth, np.full(len(sfm), np.nan), up)
    assert align_to_gps(sfm, smooth, np.full(len(sfm), 0.02), up).residual.heading_deg < 1.0


def test_few_fixes_or_a_camera_that_stands_are_refused():
    sfm, fixes, _, _ = outdoors(2, 1.0)
    with pytest.raises(AlignmentError, match="only 4 GPS fixes"):
        align_to_gps(sfm[:4], fixes[:4], np.ones(4), UP)
    with pytest.raises(AlignmentError, match="did not move"):
        align_to_gps(0 * sfm, fixes, np.ones(len(sfm)), UP)


def fixes_at(latitude, longitude, altitude=100.0):
    latitude = np.atleast_1d(np.asarray(latitude, dtype=float))
    longitude = np.broadcast_to(np.asarray(longitude, dtype=float), latitude.shape)
    one = np.full(latitude.shape, 1.0)
    return GpsFixes(np.arange(len(latitude)), latitude, longitude, altitude * one, one)


def test_a_degree_is_as_long_as_geodesy_says():
    """Lengths of a degree on WGS 84 (NGA, tables of degree lengths): at 45 deg north, and at the equator."""
    north = enu(fixes_at([44.995, 45.005], 9.0, 0.0), (45.0, 9.0, 0.0))
    assert 100 * (north[1, 1] - north[0, 1]) == pytest.approx(111132, abs=3)
    east = enu(fixes_at([0.0, 0.0], [9.0, 9.01], 0.0), (0.0, 9.0, 0.0))
    assert 100 * east[1, 0] == pytest.approx(111319, abs=2)
    np.testing.assert_allclose(enu(fixes_at(45.0, 9.0, 105.0), (45.0, 9.0, 100.0)), [[0, 0, 5]], atol=1e-6)


def test_the_origin_is_not_moved_by_a_jump_and_fixes_lie_on_the_earth():
    assert fixes_at([50.0, 50.0001, 12.0], [8.0, 8.0001, 99.0]).middle() == (50.0, 8.0001, 100.0)
    with pytest.raises(CaptureError, match=r"latitude_deg must lie within 90, got 91\.0"):
        fixes_at([50.0, 91.0], 8.0)
    with pytest.raises(CaptureError, match="one altitude_m for each"):
        GpsFixes(np.arange(2), np.zeros(2), np.zeros(2), np.zeros(1), np.zeros(2))
