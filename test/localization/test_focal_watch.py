"""A node that takes the scene's camera asks its images whether that is theirs."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.geometry import Pose
from campose_core.landmark_map.focal_length import zoomed
from campose_core.landmark_map.pnp import solve_pnp
from campose_core.localization.estimators.base import Matches
from campose_core.localization.focal_watch import ASSUMED_SIGMA, MAX_LENGTHS, MIN_IMAGES, FocalWatch
from campose_core.localization.result import LocalizationResult, Status

SCENES = Camera("SIMPLE_RADIAL", 640, 480, (520.0, 319.5, 239.5, 0.0), focal_sigma=0.001)


def watched(taken_with, assumed=SCENES, images=6):
    watch, generator = FocalWatch(), np.random.default_rng(0)
    for number in range(images):
        xyz = generator.uniform([-2, -1.5, 2], [2, 1.5, 6], (300, 3))
        pixels = taken_with.project(Pose(Rotation.identity(), np.array([0.1 * number, 0, 0])).inverse().transform(xyz))
        found = solve_pnp(pixels + generator.normal(0, 0.5, pixels.shape), xyz, assumed)
        assert found is not None
        matches = Matches(assumed, found.pixels, found.xyz)
        watch.add(LocalizationResult(number, Status.TRACKING, map_from_cam=found.world_from_cam, matches=matches))
    return watch


def test_the_right_camera_is_confirmed_with_its_spread_and_the_number_of_images():
    watch = watched(SCENES)
    assert watch.fault() == ""
    values = watch.values()
    assert float(values["focal_length_seen_px"]) == pytest.approx(520.0, rel=0.01)
    assert values["focal_length_px"] == "520.0"
    assert values["focal_length_images"] == "6"
    assert 0.0 < float(values["focal_length_seen_sigma_px"]) < 5.0


@pytest.mark.parametrize(("zoom", "way"), [(1.2, "longer"), (0.8, "shorter")])
def test_another_camera_is_named(zoom, way):
    said = watched(zoomed(SCENES, zoom * 520.0)).fault()
    assert f"6 images speak for a {way} focal length than the 520 pixels that are taken for its camera" in said
    assert "camera_info" in said


def test_a_calibrated_camera_is_not_asked():
    assert watched(SCENES, replace(SCENES, focal_sigma=0.0)).values() == {}


@pytest.mark.parametrize("zoom", [1.0, 1.1])
def test_what_images_say_is_how_sure_the_focal_length_is_from_then_on(zoom):
    """One per cent is assumed; images that agree leave less, those of another zoom about what it is off by."""
    unsure = replace(SCENES, focal_sigma=ASSUMED_SIGMA)
    assert FocalWatch().widened(unsure) == unsure
    sigma = watched(zoomed(SCENES, zoom * 520.0), unsure).widened(unsure).focal_sigma
    if zoom == 1.0:
        assert 0.0 < sigma < ASSUMED_SIGMA
    else:
        assert 0.5 * np.log(zoom) < sigma < 3 * np.log(zoom)


def test_a_calibrated_camera_is_as_sure_as_before():
    calibrated = replace(SCENES, focal_sigma=0.0)
    assert watched(SCENES, calibrated).widened(calibrated) == calibrated


def test_a_camera_that_focuses_anew_with_each_image_fills_no_memory():
    """Of the focal lengths that were assumed, those of longest ago are forgotten."""
    unsure = replace(SCENES, focal_sigma=ASSUMED_SIGMA)
    watch, assumed = FocalWatch(), [zoomed(unsure, 500.0 + i) for i in range(MAX_LENGTHS + 1)]
    xyz = np.random.default_rng(1).uniform([-2, -1.5, 2], [2, 1.5, 6], (50, 3))
    for camera in assumed:
        for number in range(MIN_IMAGES):
            matches = Matches(camera, camera.project(xyz), xyz)
            watch.add(LocalizationResult(number, Status.TRACKING, map_from_cam=Pose.identity(), matches=matches))
    assert watch.widened(assumed[0]) == assumed[0]
    assert watch.widened(assumed[1]) != assumed[1]
