"""Pieces of a reconstruction put into one frame by images that they share."""

import numpy as np
import pytest
from pieces import errors, piece
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose
from campose_core.joining.join import join
from campose_core.simulation.building import build_world
from campose_core.simulation.drive import BASE_FROM_CAM, drive


@pytest.fixture(scope="module")
def walk():
    """True map_from_cam of a drive through three rooms, by name, and the names in order."""
    base = drive(build_world("demo", 0), "mapping", rate_hz=5.0)
    names = [f"walk/{i:04d}.jpg" for i in range(len(base))]
    return dict(zip(names, [pose for _, pose in base.moved_by(BASE_FROM_CAM)], strict=True)), names


@pytest.mark.parametrize("seed", range(5))
def test_pieces_that_share_images_fit_exactly(walk, seed):
    true, names = walk
    pieces = [
        piece(true, names[:150], seed),
        piece(true, names[140:260], seed + 50),
        piece(true, names[250:], seed + 90),
    ]
    joined = join(pieces, {}, [names], {})
    assert joined.by == ["shared", "shared"]
    assert not joined.refused
    assert joined.world_from_cam.keys() == set(names)
    assert errors(joined.world_from_cam, true, names[:150]).max() < 1e-5


@pytest.mark.parametrize("shared", [3, 5, 10])
def test_shared_images_may_be_as_far_off_as_poses_of_a_mapper_are(walk, shared):
    true, names = walk
    pieces = [piece(true, names[:150], 1, 0.2, 0.002), piece(true, names[150 - shared : 260], 2, 0.2, 0.002)]
    assert join(pieces, {}, [names], {}).by == ["shared"]


def bent(poses):
    """Turned further with each image, as where a mapper has lost hold."""
    return {
        name: Pose(Rotation.from_rotvec([0.0, 0.0, 0.1 * i]) * pose.rotation, pose.translation)
        for i, (name, pose) in enumerate(poses.items())
    }


def scattered(poses):
    """In other places."""
    rng = np.random.default_rng(0)
    return {name: Pose(pose.rotation, pose.translation + 0.2 * rng.standard_normal(3)) for name, pose in poses.items()}


def mirrored(poses):
    """Left and right exchanged, as images of too little depth allow."""
    return {name: Pose(pose.rotation, pose.translation * [-1.0, -1.0, -1.0]) for name, pose in poses.items()}


@pytest.mark.parametrize("wrong", [bent, scattered, mirrored], ids=lambda wrong: wrong.__name__)
def test_pieces_whose_shared_images_lie_otherwise_are_not_joined(walk, wrong):
    true, names = walk
    joined = join([piece(true, names[:150], 1), piece(wrong(true), names[140:260], 2)], {}, [names], {})
    assert joined.by == []
    assert [len(left) for left in joined.left] == [120]
    (said,) = joined.refused
    assert said.startswith("120 keyframes walk/0140.jpg .. walk/0259.jpg: the 10 images that it shares lie otherwise")


def test_one_piece_stays_as_it_is(walk):
    true, names = walk
    only = piece(true, names[:20], 3)
    assert join([only], {}, [names], {}) == (only, [], [], [])
