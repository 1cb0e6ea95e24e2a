"""Which cameras take the place of which."""

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from campose_core.camera import Camera
from campose_core.landmark_map.intrinsics import CALIBRATED_SIGMA, RefinedCameras
from campose_core.scene.scene import Scene

GIVEN = Camera("SIMPLE_RADIAL", 640, 480, (520.0, 319.5, 239.5, 0.0))
REFINED = Camera("SIMPLE_RADIAL", 640, 480, (523.0, 319.5, 239.5, -0.03))


def refined_cameras(calibrated):
    source = {"given_camera": GIVEN.to_dict(), "calibrated": calibrated}
    return RefinedCameras(cast(Scene, SimpleNamespace(path="scene", sources={"a": source}, cameras={"a": REFINED})))


@pytest.mark.parametrize(("calibrated", "becomes"), [(True, REFINED), (False, GIVEN)])
def test_only_a_calibration_that_was_given_is_swapped_for_the_refined_one(calibrated, becomes):
    assert refined_cameras(calibrated)(GIVEN) == becomes


def test_a_calibration_that_the_map_has_not_refined_is_not_quite_sure():
    cameras, other = refined_cameras(True), replace(GIVEN, params=(522.0, 319.5, 239.5, 0.0))
    assert cameras.in_the_map(other) == replace(other, focal_sigma=CALIBRATED_SIGMA)
    assert cameras.in_the_map(GIVEN) == REFINED
    for own in (REFINED, REFINED.resized(320, 240)):
        assert cameras.in_the_map(own) == own
    estimated = replace(GIVEN, focal_sigma=0.01)
    assert cameras.in_the_map(estimated) == estimated


def test_a_camera_that_is_estimated_stays_as_it_is():
    estimated = replace(GIVEN, focal_sigma=0.01)
    assert refined_cameras(True)(estimated) == estimated


def test_an_estimate_keeps_its_spread_at_another_size_turned_and_cropped():
    estimated = replace(GIVEN, focal_sigma=0.01)
    assert {
        one.focal_sigma for one in (estimated.resized(320, 240), estimated.rotated(1), estimated.cropped(0, 0, 9, 9))
    } == {0.01}
