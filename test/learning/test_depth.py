"""Depth out of landmarks, held against a plane, on which it is known everywhere."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learnable import CAMERA, LEVEL, MAP_FROM_SFM, landmarks_of
from scipy.spatial import Delaunay
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose
from campose_core.learning.depth import MIN_LANDMARKS, SIDE, inverse_depths
from campose_core.pixels.network_input import NetworkInput
from campose_core.scene.alignment import Alignment
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene

INPUT = NetworkInput.covering(CAMERA, 96)
COARSE = INPUT.camera.resized(SIDE, SIDE)
POSE = Pose(Rotation.from_euler("z", 0.4) * LEVEL, np.array([1.0, 2.0, 1.2]))


def points_on_plane(normal, count: int, seed: int, pose: Pose = POSE) -> np.ndarray:
    """(count, 3) in the map frame: where rays of the camera meet a plane 3 m ahead, normal . x = 3 normal_z."""
    random = np.random.default_rng(seed)
    rays = np.column_stack([random.uniform(-0.45, 0.45, (count, 2)), np.ones(count)])
    depth = 3.0 * normal[2] / (rays @ normal)
    return pose.transform(rays * depth[:, None])


@pytest.fixture
def scene(tmp_path):
    frames = [SceneFrame(f"a/{i}.jpg", "a", i, "camera", "train", POSE) for i in range(3)]
    return Scene(tmp_path, "s", {"camera": CAMERA}, {"a": {}}, Alignment(MAP_FROM_SFM, "points"), frames=tuple(frames))


@settings(max_examples=15)
@given(st.tuples(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6)), st.integers(MIN_LANDMARKS, 80), st.integers(0, 2**16))
def test_between_landmarks_on_a_plane_the_inverse_depth_is_exact(tmp_path_factory, slant, count, seed):
    normal = np.array([*slant, 1.0])
    folder = tmp_path_factory.mktemp("scene")
    frame = SceneFrame("a/0.jpg", "a", 0, "camera", "train", POSE)
    scene = Scene(folder, "s", {"camera": CAMERA}, {"a": {}}, Alignment(MAP_FROM_SFM, "points"), frames=(frame,))
    xyz = points_on_plane(normal, count, seed)
    every = np.arange(count)
    landmarks_of(xyz, np.zeros(count), every, [frame.name]).save(scene.sfm_dir / "landmarks.npz")
    [found] = inverse_depths(scene, scene.frames, INPUT)

    columns, rows = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    slopes = (np.stack([columns, rows], -1) - COARSE.centre) / COARSE.focal
    truth = (slopes @ normal[:2] + normal[2]) / (3.0 * normal[2])
    pixels = COARSE.project(POSE.inverse().transform(xyz))
    inside = Delaunay(pixels).find_simplex(np.stack([columns, rows], -1)) >= 0
    np.testing.assert_allclose(found[inside], truth[inside], rtol=1e-4)
    # Beyond the outermost landmarks, the depth of one of them.
    landmark_depths = 1.0 / POSE.inverse().transform(xyz)[:, 2]
    assert (np.abs(found[~inside, None] - landmark_depths) < 1e-5).any(axis=1).all()


def test_each_frame_has_the_depth_of_what_it_sees_itself(scene):
    """And none where it sees too little, or is no keyframe."""
    near, far = points_on_plane(np.array([0, 0, 1.0]), 40, 1), None
    far = POSE.transform(2.0 * POSE.inverse().transform(near))
    sees = np.r_[np.zeros(40), np.ones(40), np.full(MIN_LANDMARKS - 1, 2)]
    what = np.r_[np.arange(40), 40 + np.arange(40), np.arange(MIN_LANDMARKS - 1)]
    stranger = replace(scene.frames[0], name="a/no keyframe.jpg")
    unposed = replace(scene.frames[0], map_from_cam=None)
    names = [frame.name for frame in scene.frames]
    landmarks_of(np.vstack([near, far]), sees, what, names).save(scene.sfm_dir / "landmarks.npz")
    found = inverse_depths(scene, [*scene.frames, stranger, unposed], INPUT)
    assert found.shape == (5, SIDE, SIDE)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], 1 / 3.0, rtol=1e-4)
    np.testing.assert_allclose(found[1], 1 / 6.0, rtol=1e-4)
    assert (found[2:] == 0).all()


def test_landmarks_on_one_line_give_the_nearest_depth(scene):
    x = np.linspace(-0.4, 0.4, 20)
    in_cam = np.column_stack([x, np.zeros(20), np.ones(20)]) * np.linspace(1.0, 2.0, 20)[:, None]
    line = landmarks_of(POSE.transform(in_cam), np.zeros(20), np.arange(20), ["a/0.jpg"])
    line.save(scene.sfm_dir / "landmarks.npz")
    found = inverse_depths(scene, scene.frames[:1], INPUT)[0]
    assert found.min() >= 0.5 - 1e-5
    assert found.max() <= 1.0 + 1e-5
    assert found[28, 0] > found[28, -1]


def test_landmarks_behind_or_inside_the_camera_are_left_out(scene):
    ahead = points_on_plane(np.array([0, 0, 1.0]), 30, 2)
    in_cam = POSE.inverse().transform(ahead)
    xyz = np.vstack([ahead, POSE.transform(-in_cam), POSE.transform(0.01 * in_cam)])
    landmarks_of(xyz, np.zeros(90), np.arange(90), ["a/0.jpg"]).save(scene.sfm_dir / "landmarks.npz")
    np.testing.assert_allclose(inverse_depths(scene, scene.frames[:1], INPUT)[0], 1 / 3.0, rtol=1e-4)


def test_a_scene_without_landmarks_or_alignment_knows_no_depth(scene):
    assert (inverse_depths(scene, scene.frames, INPUT) == 0).all()
    xyz = points_on_plane(np.array([0, 0, 1.0]), 30, 2)
    landmarks_of(xyz, np.zeros(30), np.arange(30), ["a/0.jpg"]).save(scene.sfm_dir / "landmarks.npz")
    assert (inverse_depths(scene, scene.frames, INPUT)[0] > 0).all()
    assert (inverse_depths(replace(scene, alignment=None), scene.frames, INPUT) == 0).all()
    assert inverse_depths(scene, [], INPUT).shape == (0, SIDE, SIDE)
