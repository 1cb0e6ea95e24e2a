"""Images without intrinsics: the focal length that their landmarks tell, how sure it is, and when it stays open."""

from dataclasses import replace

import numpy as np
import pytest
from landmark_rooms import looking

from campose_core.camera import Camera
from campose_core.geometry import pose_difference
from campose_core.landmark_map.camera_estimate import estimate_cameras, of_shape
from campose_core.landmark_map.focal_length import FrameMatches, lens_covariance, zoomed
from campose_core.landmark_map.pnp import solve_pnp
from campose_core.landmark_map.recording_cameras import camera_at, lines_of

OWN = Camera("SIMPLE_RADIAL", 640, 480, (520.0, 319.5, 239.5, -0.03))
GENERATOR = np.random.default_rng(0)
ROOM = GENERATOR.uniform([0.0, 0.0, 0.0], [6.0, 5.0, 2.6], (4000, 3))
WALL = np.column_stack([np.full(4000, 4.0), GENERATOR.uniform(-4, 8, 4000), GENERATOR.uniform(-2, 5, 4000)])


def pose(number):
    return looking(0.1 * number, np.array([1.0 + 0.05 * number, 2.5, 1.4]))


def seen(camera, number, xyz=ROOM, noise_px=0.7, map_from_cam=None):
    """What an image shows, a fifth of it wrong."""
    generator = np.random.default_rng(number)
    cam = (map_from_cam or pose(number)).inverse().transform(xyz)
    pixels = camera.project(cam)
    inside = (cam[:, 2] > 0.5) & (pixels >= 0).all(axis=1) & (pixels < (camera.width, camera.height)).all(axis=1)
    rows = generator.choice(np.flatnonzero(inside), 150, replace=False)
    pixels = pixels[rows] + generator.normal(0, noise_px, (len(rows), 2))
    pixels[::5] = generator.uniform(0, camera.height, (len(pixels[::5]), 2))
    return FrameMatches(number * 10**8, pixels, xyz[rows])


def film(camera, numbers=range(10)):
    return [seen(camera, number) for number in numbers]


def estimated(frames, camera=OWN, **more):
    return estimate_cameras(frames, camera.width, camera.height, {"walk": OWN}, **more)


@pytest.mark.parametrize("zoom", [0.6, 0.8, 1.2, 1.43, 2.0])
def test_another_zoom_is_measured_with_a_spread_that_holds(zoom):
    camera = zoomed(OWN, zoom * OWN.focal[0])
    (estimate,) = estimated(film(camera))
    assert not estimate.own
    assert not estimate.is_open
    assert estimate.frames == 10
    off = np.log(estimate.camera.focal[0] / camera.focal[0])
    assert abs(off) < 0.005
    assert abs(off) < 3 * estimate.camera.focal_sigma < 0.03
    assert "of another camera or zoom" in estimate.text()


def test_the_maps_own_camera_wins_where_it_fits_and_is_still_not_a_calibration():
    (estimate,) = estimated(film(OWN))
    assert estimate.own == "walk"
    assert replace(estimate.camera, focal_sigma=0.0) == OWN
    assert 0.0 < estimate.camera.focal_sigma < 0.01


def test_the_maps_own_camera_is_surer_than_a_stranger_that_the_same_images_would_measure_and_a_near_one_unsurer():
    same, near = film(OWN, range(3)), film(zoomed(OWN, 1.008 * OWN.focal[0]), range(3))
    (known,), (stranger,) = estimated(same), estimate_cameras(same, OWN.width, OWN.height, {})
    (like,) = estimated(near)
    assert known.own == like.own == "walk"
    assert known.camera.focal_sigma < 0.7 * stranger.camera.focal_sigma
    assert known.camera.focal_sigma < like.camera.focal_sigma
    assert abs(np.log(like.camera.focal[0] / (1.008 * OWN.focal[0]))) < 3 * like.camera.focal_sigma


@pytest.mark.parametrize("stretch", [0.994, 1.006])
def test_many_images_of_one_view_are_no_surer_than_one_of_what_the_map_has_wrong(stretch):
    """A room that the map has too deep is seen from where one stands in it as by a longer lens."""
    deep = ROOM * [stretch, 1.0, 1.0]
    still = [looking(0.0, np.array([1.0 + 0.001 * number, 2.5, 1.4])) for number in range(16)]
    frames = [seen(OWN, number, noise_px=1.2, map_from_cam=place) for number, place in enumerate(still)]
    of_map = {tuple(there): here for there, here in zip(ROOM, deep, strict=True)}
    frames = [frame._replace(xyz=np.array([of_map[tuple(there)] for there in frame.xyz])) for frame in frames]
    (estimate,) = estimate_cameras(frames, OWN.width, OWN.height, {})
    off = abs(np.log(estimate.camera.focal[0] / OWN.focal[0]))
    assert 0.003 < off < 3 * estimate.camera.focal_sigma < 0.05


@pytest.mark.parametrize(
    "camera", [OWN.rotated(1), OWN.rotated(3), OWN.cropped(0, 60, 640, 360), OWN.cropped(80, 0, 480, 480)]
)
def test_the_same_camera_turned_or_with_another_aspect_is_the_maps_own(camera):
    assert any(np.allclose(one.params, camera.params, atol=1.0) for one in of_shape(OWN, camera.width, camera.height))
    turned = film(camera)
    (estimate,) = estimate_cameras(turned, camera.width, camera.height, {"walk": OWN})
    assert estimate.own == "walk"


def test_a_lens_that_switches_in_the_middle_is_two_cameras_and_between_them_nothing_is_sure():
    frames = film(OWN, range(7)) + film(zoomed(OWN, 1.3 * 520.0), range(7, 14))
    before, after = estimated(frames)
    assert before.own == "walk"
    assert not after.own
    assert after.camera.focal[0] == pytest.approx(1.3 * 520.0, rel=0.01)
    assert (before.last_ns, after.first_ns) == (6 * 10**8, 7 * 10**8)
    assert camera_at([before, after], 3 * 10**8) == before.camera
    assert camera_at([before, after], 9 * 10**8) == after.camera
    assert camera_at([before, after], 6 * 10**8 + 1).focal_sigma == pytest.approx(np.log(1.3), abs=0.01)
    assert "changes between 0.60 and 0.70 s" in lines_of([before, after], None)[0]


def test_frames_of_two_lenses_by_turns_leave_it_open():
    (estimate,) = estimated([seen(zoomed(OWN, 520.0 * (1.25 if n % 2 else 1.0)), n) for n in range(12)])
    assert estimate.is_open
    assert "stays open" in estimate.text()
    assert "--camera FILE" in estimate.text()
    assert "focal_px" not in estimate.to_dict()


def test_a_wall_seen_straight_on_leaves_it_open():
    at_wall = looking(0.0, np.array([1.0, 2.0, 1.5]))
    (estimate,) = estimated([seen(zoomed(OWN, 700.0), 3, WALL, map_from_cam=at_wall)])
    assert estimate.is_open


def test_another_place_leaves_it_open():
    generator = np.random.default_rng(5)
    nowhere = [FrameMatches(n, generator.uniform(0, 480, (60, 2)), ROOM[:60]) for n in range(4)]
    (estimate,) = estimated(nowhere)
    assert estimate.is_open
    assert estimate.frames == 0


def test_exif_counts_where_it_fits_and_is_named_where_it_does_not():
    camera, exif = zoomed(OWN, 640.0), zoomed(OWN, 650.0)
    fits = estimated([seen(camera, 0)], guess=exif)
    assert fits[0].camera.focal[0] == pytest.approx(640.0, rel=0.02)
    assert len(lines_of(fits, exif)) == 1
    cropped = estimated([seen(camera, 0)], guess=zoomed(OWN, 450.0))
    assert cropped[0].camera.focal[0] == pytest.approx(640.0, rel=0.02)
    assert "EXIF says 450 pixels, which does not fit" in lines_of(cropped, zoomed(OWN, 450.0))[1]


def test_images_cropped_to_one_side_keep_their_centre():
    camera = OWN.cropped(60, 20, 440, 330)
    (estimate,) = estimated(film(camera), camera)
    assert np.allclose(estimate.camera.centre, camera.centre, atol=8.0)
    assert estimate.camera.focal[0] == pytest.approx(520.0, rel=0.02)
    assert "of images that were cropped to one side" in estimate.text()


def test_the_centres_spread_is_in_the_covariance_of_a_pose():
    wrong = replace(OWN.cropped(-8, 0, 640, 480), focal_sigma=0.001, centre_sigma=8 / 640)
    frame = seen(OWN, 2, noise_px=0.2)
    found, exact = solve_pnp(frame.pixels, frame.xyz, wrong), solve_pnp(frame.pixels, frame.xyz, OWN)
    assert found is not None
    assert exact is not None
    moved = pose_difference(found.world_from_cam, exact.world_from_cam)
    axis = np.sqrt(np.diagonal(lens_covariance(found, wrong)))
    assert (np.abs(moved[3:]) < 1.5 * axis[3:] + 1e-3).all()
    assert np.linalg.norm(moved[3:]) > 0.5 * 8 / 520  # the camera turns by what its centre is off


def test_the_focal_lengths_spread_is_in_the_covariance_of_a_pose():
    wrong = replace(zoomed(OWN, 1.01 * 520.0), focal_sigma=0.01)
    frame = seen(OWN, 2, noise_px=0.2)
    found, exact = solve_pnp(frame.pixels, frame.xyz, wrong), solve_pnp(frame.pixels, frame.xyz, OWN)
    assert found is not None
    assert exact is not None
    moved = pose_difference(found.world_from_cam, exact.world_from_cam)
    added = lens_covariance(found, wrong)
    least, middle, most = np.linalg.eigvalsh(added[:3, :3])
    assert 0.0 < middle < 0.1 * most  # along its axis, and a little aside
    assert least == pytest.approx(middle)
    assert np.sqrt(most) == pytest.approx(np.linalg.norm(moved[:3]), abs=0.004)  # 1 % off is one standard deviation
    assert np.sqrt(most) > 0.01
    assert not lens_covariance(exact, OWN).any()


def test_an_image_that_contradicts_its_lens_is_unsure():
    frame, assumed = seen(zoomed(OWN, 1.2 * 520.0), 2), replace(OWN, focal_sigma=0.001)
    found = solve_pnp(frame.pixels, frame.xyz, assumed)
    assert found is not None
    off_m = np.linalg.norm(found.world_from_cam.translation - pose(2).translation)
    assert off_m > 0.2
    assert np.sqrt(np.linalg.eigvalsh(lens_covariance(found, assumed)[:3, :3])[-1]) > 0.5 * off_m
