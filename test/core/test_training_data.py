from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from learnable import CAMERA, make_scene, picture, walk
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.errors import LearningError
from campose_core.geometry import Pose
from campose_core.learning.backbone import Backbone
from campose_core.learning.data import FeatureSamples, PictureSamples, encode_labels, frames_of_split, tuple_rows
from campose_core.learning.frame_cache import cached_pictures
from campose_core.learning.pose_space import PoseSpace
from campose_core.learning.preprocess import NetworkInput, rotated_view
from campose_core.mapping.split import SplitOptions
from campose_core.scene import Scene, SceneFrame

ALL_TRAIN = SplitOptions(val=0.0, test=0.0)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return make_scene(tmp_path_factory.mktemp("scenes") / "scene", {"b": 12, "a": 9}, ALL_TRAIN)


@given(st.lists(st.integers(3, 20), min_size=1, max_size=4), st.integers(1, 2), st.integers(2, 3))
def test_a_tuple_never_crosses_recordings_and_keeps_its_spacing(sizes, skip, length):
    frames = [SceneFrame(f"{s}/{i}", str(s), i, "c") for s, size in enumerate(sizes) for i in range(size)]
    offsets = tuple(range(0, length * skip, skip))
    if min(sizes) <= offsets[-1]:
        with pytest.raises(LearningError, match="tuple spans"):
            tuple_rows(frames, offsets)
        return
    rows = tuple_rows(frames, offsets).tolist()
    assert len(rows) == sum(size - offsets[-1] for size in sizes)
    for row in rows:
        chosen = [frames[i] for i in row]
        assert len({frame.source for frame in chosen}) == 1
        assert {b.stamp_ns - a.stamp_ns for a, b in pairwise(chosen)} == {skip}


def test_rows_of_frames_csv_in_any_order_give_the_same_pictures_and_labels(scene):
    order = np.random.default_rng(1).permutation(len(scene.frames))
    shuffled = replace(scene, frames=tuple(scene.frames[i] for i in order))
    frames, again = frames_of_split(scene, "train"), frames_of_split(shuffled, "train")
    assert [frame.name for frame in frames] == [frame.name for frame in again]
    network_input = NetworkInput.covering(CAMERA, 32)
    for frame, cached in zip(again, cached_pictures(shuffled, again, network_input), strict=True):
        expected = network_input.prepare(picture(frame.map_from_cam), CAMERA)
        assert np.abs(cached.astype(int) - expected).mean() < 6  # JPEG
    assert len(list((scene.path / "cache").glob("frames-*.npy"))) == 1


def test_the_cache_follows_the_frames_files(scene):
    frames = frames_of_split(scene, "train")
    network_input = NetworkInput.covering(CAMERA, 16)
    before = np.array(cached_pictures(scene, frames, network_input))
    path = scene.frame_path(frames[0])
    old = path.read_bytes()
    path.write_bytes(scene.frame_path(frames[-1]).read_bytes())
    after = cached_pictures(scene, frames, network_input)
    assert not np.array_equal(after[0], before[0])
    assert np.array_equal(after[1:], before[1:])
    path.write_bytes(old[:100])
    with pytest.raises(LearningError, match=frames[0].name):
        cached_pictures(scene, frames, network_input)
    path.unlink()
    with pytest.raises(LearningError, match="extract the scene again"):
        cached_pictures(scene, frames, network_input)
    path.write_bytes(old)


def coordinates_picture(camera: Camera) -> np.ndarray:
    """Red and green tell the horizontal and vertical tangent of each pixel's ray."""
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    x, y = (columns - camera.centre[0]) / camera.focal[0], (rows - camera.centre[1]) / camera.focal[1]
    return np.clip(np.stack([128 + 150 * x, 128 + 150 * y, 0 * x], axis=-1), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "other",
    [
        Camera("PINHOLE", 128, 96, (110.0, 112.0, 60.0, 49.0)),
        Camera("PINHOLE", 96, 160, (60.0, 60.0, 50.0, 70.0)),
        Camera("SIMPLE_PINHOLE", 200, 120, (100.0, 99.5, 59.5)),
    ],
)
def test_another_camera_is_cut_so_that_each_ray_falls_on_its_pixel(other):
    trained = Camera("PINHOLE", 128, 96, (115.0, 115.0, 63.5, 47.5))
    network_input = NetworkInput.covering(trained, 64)
    expected = network_input.prepare(coordinates_picture(trained), trained).astype(int)
    found = network_input.prepare(coordinates_picture(other), other).astype(int)
    inner = (slice(8, -8), slice(8, -8))
    assert np.abs(found[inner] - expected[inner]).max() <= 3


def test_a_camera_that_sees_too_little_is_refused():
    network_input = NetworkInput.covering(CAMERA, 32)
    tele = Camera("PINHOLE", 64, 48, (140.0, 140.0, 31.5, 23.5))
    with pytest.raises(LearningError, match=r"shows \d+% of the view"):
        network_input.prepare(np.zeros((48, 64, 3), np.uint8), tele)
    with pytest.raises(LearningError, match=r"\(10, 64, 3\) does not fit"):
        network_input.prepare(np.zeros((10, 64, 3), np.uint8), CAMERA)


def test_a_rotated_view_shows_where_its_label_says():
    """A far point lies where the turned camera would project it."""
    camera = NetworkInput.covering(CAMERA, 96).camera
    columns, rows = np.meshgrid(np.arange(96), np.arange(96))
    for seed in range(8):
        blob = np.exp(-((columns - 50) ** 2 + (rows - 45) ** 2) / 18.0)
        image = np.repeat((255 * blob).astype(np.uint8)[..., None], 3, axis=2)
        view, cam_from_view = rotated_view(image, camera, np.random.default_rng(seed))
        bright = np.clip(view[..., 0].astype(float) - np.median(view) - 60, 0, None)
        centre = np.array([(bright * columns).sum(), (bright * rows).sum()]) / bright.sum()
        (fx, fy), (cx, cy) = camera.focal, camera.centre
        ray = cam_from_view.inverse().transform([(50 - cx) / fx, (45 - cy) / fy, 1.0])
        np.testing.assert_allclose(centre, camera.project(ray)[0], atol=0.7)


def test_features_and_labels_of_views_belong_together(scene):
    frames = frames_of_split(scene, "train")
    poses = [frame.map_from_cam for frame in frames]
    space, network_input = PoseSpace.of(poses), NetworkInput.covering(CAMERA, 32)
    pictures = cached_pictures(scene, frames, network_input)
    torch.manual_seed(0)
    backbone = Backbone("resnet18", 32)
    samples = FeatureSamples(backbone, pictures, poses, space, network_input, views=2, seed=0)
    assert samples.features_vnf.shape == (3, len(frames), 512)
    plain = encode_labels(space, poses)
    assert torch.equal(samples.label_vn3.position[2], plain.position)
    assert not torch.equal(samples.label_vn3.logq[2], plain.logq)
    rows = tuple_rows(frames, (0, 2, 4))[:5]
    inputs, label = samples.batch(rows)
    for flat, frame in enumerate(rows.flatten().tolist()):
        view = int(torch.all(samples.features_vnf[:, frame] == inputs[flat], dim=1).nonzero()[0])
        assert torch.equal(label.logq.view(-1, 3)[flat], samples.label_vn3.logq[view, frame])


def test_pictures_are_turned_anew_and_repeat_with_the_seed(scene):
    frames = frames_of_split(scene, "train")
    poses = [frame.map_from_cam for frame in frames]
    space, network_input = PoseSpace.of(poses), NetworkInput.covering(CAMERA, 32)
    pictures = cached_pictures(scene, frames, network_input)
    rows = torch.tensor([[0, 1], [2, 3]])
    plain = PictureSamples(pictures, poses, space, network_input, views=0).batch(rows)
    assert np.array_equal(plain.inputs.numpy(), pictures[:4])
    samples = PictureSamples(pictures, poses, space, network_input, views=8)
    torch.manual_seed(3)
    first, second = samples.batch(rows), samples.batch(rows)
    torch.manual_seed(3)
    again = samples.batch(rows)
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.label.logq, again.label.logq)
    assert not torch.equal(first.inputs, second.inputs)


def test_a_scene_without_the_split_is_refused(tmp_path):
    pose = Pose(Rotation.identity(), np.zeros(3))
    unsplit = Scene(tmp_path, "s", {"c": CAMERA}, frames=(SceneFrame("a/0.jpg", "a", 0, "c", "", pose),))
    with pytest.raises(LearningError, match="not split: run `campose split"):
        frames_of_split(unsplit, "train")
    only_train = replace(unsplit, frames=(replace(unsplit.frames[0], split="train"),))
    with pytest.raises(LearningError, match="in the val split"):
        frames_of_split(only_train, "val")
    with pytest.raises(LearningError, match="at least two frames"):
        PoseSpace.of(walk(1))
