"""Steps, curvature and covariance of a pose's refinement, for every camera model and for rigs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from campose_core.camera import MODEL_PARAMS, Camera
from campose_core.geometry import Pose, pose_error
from campose_core.landmark_map.pnp import refine_pnp, solve_pnp
from campose_core.landmark_map.pose_refinement import covariance_in_world, offsets_of, refined_pose
from campose_core.landmark_map.sightings import RigView, sightings_of

# A strong lens of each model: over the whole image, as cameras are calibrated.
TERMS = {
    "f": 310.0, "fx": 310.0, "fy": 305.0, "cx": 322.0, "cy": 236.0, "k1": -0.12, "k2": 0.03, "p1": 0.002, "p2": -0.003,
    "k3": 0.001, "k4": 0.02, "k5": -0.01, "k6": 0.001, "s1": 0.001, "s2": -0.0005, "s3": -0.002, "s4": 0.0004,
}  # fmt: skip
FISHEYE = {
    "fx": 170.0,
    "fy": 170.0,
    "k1": 0.03,
    "k2": -0.01,
    "k3": 0.002,
    "k4": -0.0003,
}  # 160 degrees from side to side


def lens(model: str) -> Camera:
    terms = {**TERMS, **(FISHEYE if model == "OPENCV_FISHEYE" else {})}
    return Camera(model, 640, 480, tuple(terms[name] for name in MODEL_PARAMS[model]))


def view(camera: Camera, seed: int, points: int = 120) -> tuple[Pose, np.ndarray, np.ndarray]:
    """world_from_cam, points (N, 3), and their exact pixels (N, 2), all over the image."""
    generator = np.random.default_rng(seed)
    world_from_cam = Pose(Rotation.random(None, generator), generator.normal(0, 5, 3))
    rays = camera.rays(generator.uniform([5, 5], [635, 475], (points, 2)))
    rays = np.column_stack([rays, np.ones(points)])
    rays *= generator.uniform(1, 8, (points, 1)) / np.linalg.norm(rays, axis=1, keepdims=True)
    return world_from_cam, world_from_cam.transform(rays), camera.project(rays)


@pytest.mark.parametrize("model", MODEL_PARAMS)
def test_every_lens_is_placed_exactly_and_among_wrong_matches(model):
    camera = lens(model)
    truth, xyz, pixels = view(camera, 3)
    near = Pose(Rotation.from_rotvec([0.03, -0.02, 0.02]) * truth.rotation, truth.translation + 0.05)
    refined = refine_pnp(pixels, xyz, camera, near)
    assert refined is not None
    assert max(pose_error(refined.world_from_cam, truth)) < 1e-5
    generator = np.random.default_rng(0)
    noisy = pixels + generator.normal(0, 0.5, pixels.shape)
    wrong = generator.permutation(120)[:50]
    noisy[wrong] = generator.uniform(0, 480, (50, 2))
    found = solve_pnp(noisy, xyz, camera)
    assert found is not None
    off = np.r_[found.world_from_cam.translation - truth.translation,
                (found.world_from_cam.rotation * truth.rotation.inv()).as_rotvec()]  # fmt: skip
    assert off @ np.linalg.solve(found.covariance, off) < 22.5  # 99.9 % of chi square with six degrees


@pytest.mark.parametrize("model", MODEL_PARAMS)
def test_offsets_are_those_of_the_pixels(model):
    """Of a pose a little off: what the rays say is what the camera's own projection says, at the rim as well."""
    camera = lens(model)
    truth, xyz, pixels = view(camera, 5)
    off = Pose(Rotation.from_rotvec([0.003, 0.004, -0.003]), np.zeros(3)) * truth.inverse()
    exact = camera.project(off.transform(xyz)) - pixels
    seen = sightings_of([RigView(pixels, xyz, camera, Pose.identity())])
    assert len(seen.rows) > 80  # corners that no ray reaches are left out
    np.testing.assert_allclose(offsets_of(seen, off).T, exact[seen.rows], atol=0.05)
    assert np.abs(exact[seen.rows]).max() > 1.0


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_a_rig_is_refined_as_one_body_wherever_its_cameras_look(seed):
    """Forward and backward: no common image plane, and each sees too little alone."""
    generator = np.random.default_rng(seed)
    world_from_rig = Pose(Rotation.random(None, generator), generator.normal(0, 5, 3))
    views = []
    for number, turn in enumerate((0.0, 180.0)):
        camera, place = lens("OPENCV"), Pose(Rotation.from_euler("y", turn, degrees=True), np.array([0.2, 0.0, -0.3]))
        world_from_cam, xyz, pixels = view(camera, seed + number, 12)
        moved = world_from_rig * place * world_from_cam.inverse()
        views.append(RigView(pixels, moved.transform(xyz), camera, place))
    rig_from_world = world_from_rig.inverse()
    start = Pose(Rotation.from_rotvec([0.02, 0.01, -0.02]), np.array([0.05, -0.03, 0.02])) * rig_from_world
    found = refined_pose(sightings_of(views), start)
    assert found is not None
    assert max(pose_error(found.body_from_world, rig_from_world)) < 1e-6


def test_pixels_that_show_no_ray_are_left_out_and_keep_the_places_of_the_others():
    camera = Camera("OPENCV", 640, 480, (500.0, 500.0, 320.0, 240.0, -0.4, 0.0, 0.0, 0.0))  # folds back at the corners
    truth, xyz, pixels = view(Camera("PINHOLE", 640, 480, (500.0, 500.0, 320.0, 240.0)), 1)
    pixels = camera.project(truth.inverse().transform(xyz))
    seen = sightings_of([RigView(pixels, xyz, camera, Pose.identity())])
    lost = np.flatnonzero(~np.isfinite(pixels).all(axis=1))
    pixels[lost] = 3000.0
    again = sightings_of([RigView(pixels, xyz, camera, Pose.identity())])
    assert set(again.rows) | set(lost) == set(range(120))
    np.testing.assert_array_equal(again.rows, seen.rows)
    np.testing.assert_allclose(offsets_of(again, truth.inverse()), 0.0, atol=1e-6)


@pytest.mark.parametrize("points", [2, 30])
def test_what_leaves_the_pose_open_has_no_covariance(points):
    """Two landmarks, or many in one place: there is no certainty to tell."""
    camera = lens("PINHOLE")
    truth, xyz, pixels = view(camera, 2, points)
    if points > 2:
        xyz, pixels = np.repeat(xyz[:1], points, axis=0), np.repeat(pixels[:1], points, axis=0)
    found = refined_pose(sightings_of([RigView(pixels, xyz, camera, Pose.identity())]), truth.inverse())
    assert found is None or covariance_in_world(found) is None
