"""A node that takes the scene's camera asks its images whether that is theirs."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.evaluation.run import frames_with_camera
from campose_core.geometry import Pose
from campose_core.landmark_map.focal_length import FrameMatches, WideMatches, zoomed
from campose_core.landmark_map.pnp import solve_pnp
from campose_core.localization.estimators.base import Matches
from campose_core.localization.estimators.structure import StructureEstimator
from campose_core.localization.localizer import Localizer
from campose_core.localization.result import LocalizationResult, Status
from campose_core.scene.scene import Scene
from campose_core.session.camera import SessionCamera
from campose_core.session.focal_watch import ASSUMED_SIGMA, AT_ONCE, EVERY_NS, MAX_LENGTHS, FocalWatch
from campose_core.session.session import LocalizationSession
from campose_core.statistics import squared_mahalanobis
from campose_core.trajectory import read_tum

SCENES = Camera("SIMPLE_RADIAL", 640, 480, (520.0, 319.5, 239.5, 0.0), focal_sigma=0.001)


def matches_of(number, taken_with, assumed, generator, noise_px=0.5):
    """What a localizer found in an image that a camera took, when it took it for another: what agrees, and all."""
    xyz = generator.uniform([-2, -1.5, 2], [2, 1.5, 6], (300, 3))
    pixels = taken_with.project(Pose(Rotation.identity(), np.array([0.1 * number, 0, 0])).inverse().transform(xyz))
    pixels = pixels + generator.normal(0, noise_px, pixels.shape)
    found = solve_pnp(pixels, xyz, assumed)
    assert found is not None
    wide = WideMatches(FrameMatches(number * EVERY_NS, pixels, xyz), found.world_from_cam)
    return Matches(assumed, found.pixels, found.xyz, None if assumed.focal_sigma == 0.0 else wide)


def show(watch, name, matches):
    watch.add(
        name, LocalizationResult(matches.wide.frame.stamp_ns if matches.wide else 0, Status.LOST, matches=matches)
    )


def watched(taken_with, assumed=SCENES, images=6):
    watch, generator = FocalWatch(), np.random.default_rng(0)
    for number in range(1, images + 1):
        show(watch, "", matches_of(number, taken_with, assumed, generator))
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
    assert f"6 images speak for a {way} focal length ({zoom * 520.0:.0f}) than the 520 pixels that are taken" in said
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


def test_what_says_nothing_of_a_focal_length_leaves_it_as_sure_as_it_was():
    """A wall in front of the camera: a longer focal length is a camera farther away."""
    unsure, generator = replace(SCENES, focal_sigma=ASSUMED_SIGMA), np.random.default_rng(2)
    watch = FocalWatch()
    for number in range(1, 7):
        wall = np.column_stack([generator.uniform([-2, -1.5], [2, 1.5], (300, 2)), np.full(300, 4.0)])
        pixels = unsure.project(wall) + generator.normal(0, 0.5, (300, 2))
        wide = WideMatches(FrameMatches(number * EVERY_NS, pixels, wall), Pose.identity())
        show(watch, "", Matches(unsure, pixels, wall, wide))
    assert watch.fault() == ""
    assert watch.widened(unsure).focal_sigma == pytest.approx(ASSUMED_SIGMA, rel=0.2)


def test_one_wild_image_widens_little():
    unsure, generator = replace(SCENES, focal_sigma=ASSUMED_SIGMA), np.random.default_rng(3)
    watch = FocalWatch()
    for number in range(1, 7):
        show(watch, "", matches_of(number, zoomed(SCENES, 600.0 if number == 3 else 520.0), unsure, generator))
    assert watch.widened(unsure).focal_sigma < ASSUMED_SIGMA
    assert watch.fault() == ""


@pytest.mark.parametrize(("noise_px", "is_named"), [(0.3, True), (3.0, False)])
def test_images_of_the_same_landmarks_contradict_no_more_than_one_of_them(noise_px, is_named):
    """Coarse images leave a focal length open by more than the 2.5 % that their landmarks are off together."""
    watch = FocalWatch()
    for number in range(1, 7):
        show(watch, "", matches_of(number, zoomed(SCENES, 533.0), SCENES, np.random.default_rng(2), noise_px))
    assert bool(watch.fault()) is is_named


def test_each_camera_is_judged_by_the_focal_length_that_it_has_now():
    watch, generator, wrong = FocalWatch(), np.random.default_rng(4), zoomed(SCENES, 560.0)
    for turn, (name, assumed) in enumerate((("front", SCENES), ("rear", wrong), ("rear", SCENES))):
        for number in range(1, 7):
            show(watch, name, matches_of(6 * turn + number, SCENES, assumed, generator))
        said = watch.fault()
        assert ("6 images of rear speak for a shorter focal length (52" in said) == (assumed is wrong)
    assert said == ""


def test_another_map_says_nothing_of_what_the_first_one_showed():
    watch = watched(zoomed(SCENES, 560.0))
    assert watch.fault()
    watch.forget()
    assert (watch.fault(), watch.values(), watch.widened(SCENES)) == ("", {}, SCENES)


def test_images_of_a_fast_camera_are_asked_once_a_second():
    watch, generator = FocalWatch(), np.random.default_rng(5)
    for number in range(1, 40):
        matches = matches_of(number, SCENES, SCENES, generator)
        frame = matches.wide.frame._replace(stamp_ns=number * EVERY_NS // 10)
        show(watch, "", matches._replace(wide=matches.wide._replace(frame=frame)))
    assert watch.values()["focal_length_images"] == str(AT_ONCE + 3)


def test_a_camera_that_focuses_anew_with_each_image_fills_no_memory():
    """Of the focal lengths that were assumed, those of longest ago are forgotten."""
    unsure, generator = replace(SCENES, focal_sigma=ASSUMED_SIGMA), np.random.default_rng(1)
    watch, assumed = FocalWatch(), [zoomed(unsure, 500.0 + i) for i in range(MAX_LENGTHS + 1)]
    for number, camera in enumerate(assumed):
        show(watch, "", matches_of(number + 1, camera, camera, generator))
    assert watch.widened(assumed[0]) == assumed[0]
    assert watch.widened(assumed[1]) != assumed[1]


@pytest.mark.slow
@pytest.mark.parametrize("zoom", [1.06, 0.92])
def test_a_calibration_of_another_focal_length_is_wide_while_it_is_tracked_and_is_named(small_scene, small_world, zoom):
    """What agrees with it in the image agrees with it by a sixth; its answers are as wrong as it is."""
    scene, truth = Scene.open(small_scene), dict(read_tum(small_world / "later.tum"))
    session = LocalizationSession(Localizer(StructureEstimator.load(scene)), [SessionCamera("", Pose.identity())])
    errors, covariances = [], []
    for frame, camera in frames_with_camera(scene, open_recording(small_world / "later.bag"), None, ""):
        result = session.localize("", frame, 0.0, zoomed(camera, zoom * camera.focal[0])).result
        if result.map_from_cam is not None:
            errors.append(result.map_from_cam.translation - truth[frame.stamp_ns].translation)
            covariances.append(result.covariance[:3, :3])
    assert len(errors) > 20
    assert np.median(np.linalg.norm(errors, axis=1)) > 0.03  # metres: what it is about
    assert np.mean(squared_mahalanobis(np.array(errors), np.array(covariances)) < chi2.ppf(0.9, 3)) > 0.7
    assert f"a {'shorter' if zoom > 1 else 'longer'} focal length" in session.focal.fault()
