"""Views that nobody took, held against planes whose image is known from every pose."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learnable import CAMERA, LEVEL
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.geometry import Pose, pose_error
from campose_core.learning.depth import SIDE
from campose_core.learning.model import to_numbers, to_poses
from campose_core.learning.view_synthesis import ViewOptions, moved, random_views, synthesise
from campose_core.pixels.network_input import NetworkInput

SIZE = 96
PINHOLE = NetworkInput.covering(CAMERA, SIZE).camera
HERE = Pose(LEVEL, np.array([1.0, 2.0, 1.2]))
ON_THE_SPOT = torch.zeros(1, 3)
# A wall 2.5 m ahead of HERE, seen straight on, and two that are not: n . x = d with n towards the camera.
PLANES = {"straight": (-1.0, 0.0, 0.0), "aside": (-0.9, 0.45, 0.0), "floor-like": (-0.8, 0.1, 0.6)}


def rays_of(camera: Camera) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    return np.stack([(columns - cx) / fx, (rows - cy) / fy, np.ones(columns.shape)], axis=-1)


def depths(camera: Camera, pose: Pose, normal: np.ndarray) -> np.ndarray:
    """[H, W] along the optical axis of the plane through 2.5 m ahead of HERE."""
    point = HERE.transform([0.0, 0.0, 2.5])
    return normal @ (point - pose.translation) / (rays_of(camera) @ pose.rotation.as_matrix().T @ normal)


def render(pose: Pose, normal: np.ndarray) -> np.ndarray:
    """Image (H, W, 3) of a plane with waves on it, as long as seven pixels or more at 2.5 m."""
    points = pose.transform(rays_of(PINHOLE) * depths(PINHOLE, pose, normal)[..., None])
    x, y, z = np.moveaxis(points, -1, 0)
    waves = [np.sin(15 * y + 3 * z), np.cos(14 * z + 2 * x), np.sin(9 * (y + z) + 4 * x)]
    return np.clip(128 + 100 * np.stack(waves, axis=-1), 0, 255).round().astype(np.uint8)


def seen_before(view: Pose, normal: np.ndarray) -> np.ndarray:
    """(H, W) bool: what the view shows lies well inside the image from HERE."""
    points = view.transform(rays_of(PINHOLE) * depths(PINHOLE, view, normal)[..., None])
    pixels = PINHOLE.project(HERE.inverse().transform(points.reshape(-1, 3))).reshape(SIZE, SIZE, 2)
    return ((pixels > 3) & (pixels < SIZE - 4)).all(axis=-1)


def one_view(seed: int, shift_m: float, inverse_depth: np.ndarray):
    """cam_from_view as the training draws it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return random_views(torch.from_numpy(inverse_depth)[None], ViewOptions(shift_m=shift_m))


@settings(max_examples=20)
@given(st.integers(0, 2**16), st.sampled_from(list(PLANES)))
def test_a_view_with_depth_is_what_a_camera_there_would_have_seen(seed, plane):
    normal = np.array(PLANES[plane])
    inverse_depth = (1.0 / depths(PINHOLE.resized(SIDE, SIDE), HERE, normal)).astype(np.float32)
    cam_from_view = one_view(seed, 0.3, inverse_depth)
    picture = torch.from_numpy(render(HERE, normal))[None]
    view = synthesise(picture, torch.from_numpy(inverse_depth)[None], PINHOLE, *cam_from_view)[0].numpy()
    map_from_view = to_poses(moved(to_numbers([HERE]), *cam_from_view))[0]
    truth, inside = render(map_from_view, normal), seen_before(map_from_view, normal)
    assert inside.mean() > 0.2
    error = np.abs(view[inside].astype(int) - truth[inside]).mean()
    assert error < 2.5  # of 256 steps; what bilinear sampling costs is 0.8 to 1.3


def test_without_its_depth_the_same_view_is_wrong():
    """The test above can fail: a shift of 30 cm moves the wall by a tenth of the image."""
    normal = np.array(PLANES["straight"])
    shift = torch.tensor([[0.3, 0.0, 0.0]])
    picture, unknown = torch.from_numpy(render(HERE, normal))[None], torch.zeros(1, 1, 1)
    turn = torch.eye(3)[None]
    map_from_view = to_poses(moved(to_numbers([HERE]), turn, shift))[0]
    truth, inside = render(map_from_view, normal), seen_before(map_from_view, normal)
    view = synthesise(picture, unknown, PINHOLE, turn, shift)[0].numpy()
    assert np.abs(view[inside].astype(int) - truth[inside]).mean() > 30.0
    # Unknown depth counts as far away, where a shift shows nothing.
    assert np.abs(view.astype(int) - picture[0].numpy()).max() <= 1


@given(st.integers(0, 2**16))
def test_a_far_point_lies_where_the_turned_camera_projects_it(seed):
    columns, rows = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    blob = np.exp(-((columns - 50) ** 2 + (rows - 45) ** 2) / 18.0)
    picture = np.repeat((255 * blob).astype(np.uint8)[..., None], 3, axis=2)
    rotation, _ = cam_from_view = one_view(seed, 0.0, np.zeros((1, 1), np.float32))
    view = synthesise(torch.from_numpy(picture)[None], torch.zeros(1, 1, 1), PINHOLE, *cam_from_view)[0].numpy()
    bright = np.clip(view[..., 0].astype(float) - np.median(view) - 60, 0, None)
    centre = np.array([(bright * columns).sum(), (bright * rows).sum()]) / bright.sum()
    ray = rotation[0].double().numpy().T @ rays_of(PINHOLE)[45, 50]
    np.testing.assert_allclose(centre, PINHOLE.project(ray)[0], atol=0.7)


def test_no_motion_is_the_picture_itself():
    picture = torch.from_numpy(render(HERE, np.array(PLANES["aside"])))[None]
    depth = torch.full((1, SIDE, SIDE), 0.4)
    view = synthesise(picture, depth, PINHOLE, torch.eye(3)[None], ON_THE_SPOT)
    assert view.dtype == torch.uint8
    assert int((view.int() - picture.int()).abs().max()) <= 1


def test_what_was_not_seen_has_the_mean_colour():
    picture = torch.from_numpy(render(HERE, np.array(PLANES["straight"])))[None]
    behind = torch.from_numpy(Rotation.from_euler("y", 180, degrees=True).as_matrix()).float()[None]
    view = synthesise(picture, torch.zeros(1, 1, 1), PINHOLE, behind, ON_THE_SPOT)
    mean = picture.float().mean((0, 1, 2))
    assert (view[0].float() - mean).abs().max() <= 0.51


def test_each_picture_of_a_batch_is_warped_by_itself():
    normals = [np.array(normal) for normal in PLANES.values()]
    pictures = torch.from_numpy(np.stack([render(HERE, normal) for normal in normals]))
    inverse = torch.from_numpy(np.stack([1.0 / depths(PINHOLE.resized(SIDE, SIDE), HERE, n) for n in normals])).float()
    torch.manual_seed(2)
    rotation, translation = random_views(inverse, ViewOptions(shift_m=0.2))
    together = synthesise(pictures, inverse, PINHOLE, rotation, translation)
    for i in range(len(normals)):
        one = slice(i, i + 1)
        alone = synthesise(pictures[one], inverse[one], PINHOLE, rotation[one], translation[one])
        assert int((together[one].int() - alone.int()).abs().max()) <= 1


def test_a_view_moves_its_label_as_poses_compose():
    torch.manual_seed(0)
    rotation, translation = random_views(torch.full((5, 4, 4), 0.5), ViewOptions(shift_m=0.5))
    found = to_poses(moved(to_numbers([HERE] * 5), rotation, translation))
    for pose, turn, shift in zip(found, rotation, translation, strict=True):
        expected = HERE * Pose(Rotation.from_matrix(turn.double().numpy()), shift.double().numpy())
        assert max(pose_error(pose, expected)) < 1e-5


@given(st.integers(0, 2**16), st.floats(0.05, 20.0), st.floats(0.0, 5.0))
def test_shifts_stay_within_their_share_of_the_depth_and_turns_within_two_deviations(seed, nearest_m, shift_m):
    options = ViewOptions(shift_m=shift_m)
    torch.manual_seed(seed)
    rotation, translation = random_views(torch.full((16, 3, 3), 1.0 / nearest_m), options)
    assert float(translation.norm(dim=1).max()) <= options.most_shift * nearest_m * 1.001
    assert float(translation.abs().max()) <= 2.0 * shift_m + 1e-6
    turn = Rotation.from_matrix(rotation.double().numpy()).as_rotvec(degrees=True)
    assert (np.abs(turn) <= 2.0 * np.array([options.pitch_deg, options.yaw_deg, options.roll_deg]) + 1e-3).all()


def test_without_depth_the_camera_stays_and_with_it_moves():
    torch.manual_seed(0)
    depth = torch.zeros(64, 3, 3)
    depth[32:] = 0.2
    rotation, translation = random_views(depth, ViewOptions(shift_m=0.25))
    assert (translation[:32] == 0).all()
    assert (translation[32:].norm(dim=1) > 0).all()
    assert 0.15 < float(translation[32:, 0].std()) < 0.35
    assert float(translation[32:, 1].std()) < float(translation[32:, 0].std())
    angles = Rotation.from_matrix(rotation.double().numpy()).as_rotvec(degrees=True).std(axis=0)
    np.testing.assert_allclose(angles, [7.0, 10.0, 6.0], rtol=0.3)


def test_the_generator_decides():
    depth = torch.full((4, 3, 3), 0.5)
    drawn = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        drawn.append(torch.cat([part.flatten() for part in random_views(depth, ViewOptions(shift_m=0.2))]))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("ahead_m", [2.45, 2.6, 40.0])
def test_a_camera_at_or_behind_the_wall_gives_a_picture(ahead_m):
    picture = torch.from_numpy(render(HERE, np.array(PLANES["straight"])))[None]
    shift = torch.tensor([[0.0, 0.0, ahead_m]])
    view = synthesise(picture, torch.full((1, 8, 8), 0.4), PINHOLE, torch.eye(3)[None], shift)
    assert view.shape == picture.shape
