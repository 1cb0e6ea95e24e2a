"""Frames, images and poses belong together; samples stay within a recording."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learnable import CAMERA, make_scene, picture
from scipy.spatial.transform import Rotation

from campose_core.errors import LearningError
from campose_core.geometry import Pose, Similarity
from campose_core.learning.frame_cache import cached_images
from campose_core.learning.material import frames_of_split, joined, material_of_splits, pair_rows, tuple_rows
from campose_core.pixels.network_input import NetworkInput
from campose_core.scene.alignment import Alignment
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.scene.split import SplitOptions, split

ALL_TRAIN = SplitOptions(val=0.0, test=0.0)
recordings = st.lists(st.integers(2, 20), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return make_scene(tmp_path_factory.mktemp("scenes") / "scene", {"b": 12, "a": 9}, ALL_TRAIN)


def sources_and_numbers(sizes) -> tuple[list[str], list[int]]:
    """Recordings one after the other, with the number of each frame in its own."""
    return [str(s) for s, n in enumerate(sizes) for _ in range(n)], [i for n in sizes for i in range(n)]


@given(recordings, st.integers(1, 3), st.integers(1, 3))
def test_a_tuple_never_crosses_recordings_and_keeps_its_spacing(sizes, skip, length):
    sources, numbers = sources_and_numbers(sizes)
    offsets = tuple(range(0, length * skip, skip))
    if min(sizes) <= offsets[-1]:
        with pytest.raises(LearningError, match="tuple spans"):
            tuple_rows(sources, offsets)
        return
    rows = tuple_rows(sources, offsets).tolist()
    assert len(rows) == sum(size - offsets[-1] for size in sizes) == len({tuple(row) for row in rows})
    for row in rows:
        assert len({sources[i] for i in row}) == 1
        assert {numbers[b] - numbers[a] for a, b in pairwise(row)} <= {skip}


@given(recordings, st.integers(1, 5))
def test_pairs_are_all_near_ones_of_a_recording_both_ways_round(sizes, most_apart):
    sources, numbers = sources_and_numbers(sizes)
    found = {tuple(row) for row in pair_rows(sources, most_apart).tolist()}
    every = range(len(sources))
    expected = {
        (a, b) for a in every for b in every
        if a != b and sources[a] == sources[b] and abs(numbers[a] - numbers[b]) <= most_apart
    }  # fmt: skip
    assert found == expected
    assert len(pair_rows(sources, most_apart)) == len(expected)
    one_way = [tuple(row) for row in pair_rows(sources, most_apart, both_ways=False).tolist()]
    assert sorted(one_way) == sorted((a, b) for a, b in expected if numbers[a] < numbers[b])


def test_a_recording_of_one_frame_has_no_pair():
    with pytest.raises(LearningError, match="recording b has one training frame"):
        pair_rows(["a", "a", "b"], 2)


def test_rows_of_frames_csv_in_any_order_give_the_same_pictures_and_labels(scene):
    order = np.random.default_rng(1).permutation(len(scene.frames))
    shuffled = replace(scene, frames=tuple(scene.frames[i] for i in order))
    frames, again = frames_of_split(scene, "train"), frames_of_split(shuffled, "train")
    assert [frame.name for frame in frames] == [frame.name for frame in again]
    network_input = NetworkInput.covering(CAMERA, 32)
    [material] = material_of_splits(shuffled, [again], network_input, with_depth=False)
    assert material.names == tuple(frame.name for frame in frames)
    assert material.sources == ("a",) * 9 + ("b",) * 12
    for pose, cached in zip(material.poses, material.images, strict=True):
        expected = network_input.prepare(picture(pose), CAMERA)
        assert np.abs(cached.astype(int) - expected).mean() < 6  # JPEG
    assert len(list((scene.path / "cache").glob("frames-*.npy"))) == 1


def test_splits_share_a_cache_and_keep_their_own_frames(tmp_path):
    scene = make_scene(tmp_path / "scene", {"a": 20})
    splits = [frames_of_split(scene, name) for name in ("train", "val", "test")]
    network_input = NetworkInput.covering(CAMERA, 16)
    found = material_of_splits(scene, splits, network_input, with_depth=True)
    assert len(list((scene.path / "cache").iterdir())) == 1
    for frames, material in zip(splits, found, strict=True):
        assert material.names == tuple(frame.name for frame in frames)
        assert len(material) == len(frames) == len(material.images) == len(material.poses)
        alone = cached_images(replace(scene, path=scene.path), frames, network_input)
        np.testing.assert_array_equal(material.images, alone)
    # Without landmarks no depth is known: zeros.
    assert (found[0].inverse_depth == 0).all()
    assert [len(material.inverse_depth) for material in found] == [len(frames) for frames in splits]


@pytest.mark.parametrize("damage", ["empty", "cut", "no array", "other shape", "other numbers"])
def test_a_damaged_cache_is_made_anew(tmp_path, damage):
    scene = make_scene(tmp_path / "scene", {"a": 20})
    frames, network_input = frames_of_split(scene, "train"), NetworkInput.covering(CAMERA, 16)
    right = np.array(cached_images(scene, frames, network_input))
    (path,) = (scene.path / "cache").glob("frames-*.npy")
    if damage in ("other shape", "other numbers"):
        np.save(path, right[:-1] if damage == "other shape" else right.astype(float))
    else:
        path.write_bytes({"empty": b"", "cut": path.read_bytes()[:-9], "no array": b"no array"}[damage])
    np.testing.assert_array_equal(cached_images(scene, frames, network_input), right)
    assert list((scene.path / "cache").glob("frames-*.npy")) == [path]


def test_joined_materials_follow_each_other(scene):
    frames, network_input = frames_of_split(scene, "train"), NetworkInput.covering(CAMERA, 16)
    first, second = material_of_splits(scene, [frames[:5], frames[5:]], network_input, with_depth=False)
    known = np.random.default_rng(0).uniform(0.1, 1.0, (5, 8, 8)).astype(np.float32)
    both = joined([replace(first, inverse_depth=known), second])
    assert both.names == first.names + second.names
    assert both.poses == first.poses + second.poses
    np.testing.assert_array_equal(both.images[5:], second.images)
    np.testing.assert_array_equal(both.inverse_depth[:5], known)
    assert (both.inverse_depth[5:] == 0).all()


def test_the_cache_follows_the_frames_files(scene):
    frames = frames_of_split(scene, "train")
    network_input = NetworkInput.covering(CAMERA, 16)
    before = np.array(cached_images(scene, frames, network_input))
    path = scene.frame_path(frames[0])
    old = path.read_bytes()
    path.write_bytes(scene.frame_path(frames[-1]).read_bytes())
    after = cached_images(scene, frames, network_input)
    assert not np.array_equal(after[0], before[0])
    assert np.array_equal(after[1:], before[1:])
    path.write_bytes(old[:100])
    with pytest.raises(LearningError, match=frames[0].name):
        cached_images(scene, frames, network_input)
    path.unlink()
    with pytest.raises(LearningError, match="extract the scene again"):
        cached_images(scene, frames, network_input)
    path.write_bytes(old)


def test_a_scene_without_the_split_is_refused(tmp_path):
    pose = Pose(Rotation.identity(), np.zeros(3))
    unsplit = Scene(tmp_path, "s", {"c": CAMERA}, frames=(SceneFrame("a/0.jpg", "a", 0, "c", "", pose),))
    with pytest.raises(LearningError, match="not split: run `campose split"):
        frames_of_split(unsplit, "train")
    only_train = replace(unsplit, frames=(replace(unsplit.frames[0], split="train"),))
    with pytest.raises(LearningError, match="in the val split"):
        frames_of_split(only_train, "val")


def test_depths_are_those_of_the_frames_they_come_with(scene, tmp_path):
    """A wall of landmarks that one frame alone sees."""
    from learnable import landmarks_of

    frames = frames_of_split(scene, "train")
    random = np.random.default_rng(0)
    wall = np.column_stack([*random.uniform(-1.0, 1.0, (2, 40)), np.full(40, 4.0)])
    seer = frames[3]
    aligned = replace(scene, path=tmp_path, alignment=Alignment(Similarity.identity(), "points"))
    (tmp_path / "frames").symlink_to(scene.frames_dir)
    landmarks = landmarks_of(seer.map_from_cam.transform(wall), np.zeros(40), np.arange(40), [seer.name])
    replace(landmarks, xyz=seer.map_from_cam.transform(wall)).save(aligned.sfm_dir / "landmarks.npz")
    [material] = material_of_splits(aligned, [frames], NetworkInput.covering(CAMERA, 32), with_depth=True)
    known = material.inverse_depth.reshape(len(frames), -1).max(axis=1)
    np.testing.assert_allclose(known, [0.25 if frame is seer else 0.0 for frame in frames], rtol=1e-4)


def test_a_split_without_frames_says_how_to_get_some(tmp_path):
    """Splitting the same way again would change nothing."""
    scene = make_scene(tmp_path / "scene", {"a": 5})
    with pytest.raises(LearningError, match=r"none of its 5 frames with a pose is in the val split: .* a larger --val"):
        frames_of_split(scene, "val")
    frames = frames_of_split(split(scene, SplitOptions(val=0.4)), "val")
    assert len(frames) == 2
