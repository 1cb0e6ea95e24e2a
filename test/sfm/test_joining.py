"""Pieces of a reconstruction put into one frame."""

from functools import partial

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose, Similarity, pose_error
from campose_core.sfm.joining import LONGEST_GAP_FRAMES, join
from campose_core.simulation.building import build_world
from campose_core.simulation.drive import BASE_FROM_CAM, drifting_odometry, drive


@pytest.fixture(scope="module")
def walk():
    """True map_from_cam and drifting odom_from_cam of a drive through three rooms, by name, and the names in order."""
    base = drive(build_world("demo", 0), "mapping", rate_hz=5.0)
    names = [f"walk/{i:04d}.jpg" for i in range(len(base))]
    true = [pose for _, pose in base.moved_by(BASE_FROM_CAM)]
    odom = [pose for _, pose in drifting_odometry(base).moved_by(BASE_FROM_CAM)]
    return dict(zip(names, true, strict=True)), dict(zip(names, odom, strict=True)), names


def piece(true, names, seed):
    """Poses of some images in a frame and at a scale of their own."""
    rng = np.random.default_rng(seed)
    own = Similarity(float(rng.uniform(0.2, 5.0)), Rotation.random(rng=rng), rng.normal(size=3))
    return {name: own.transform_pose(true[name]) for name in names}


def errors(joined, true, piece_names):
    """Of the joined poses against the truth, with the first piece as the common frame: metres and radians."""
    from campose_core.robust_similarity import align_to_poses

    found = joined.world_from_cam
    map_from_world = align_to_poses([found[n] for n in piece_names], [true[n] for n in piece_names]).map_from_sfm
    return np.array([pose_error(map_from_world.transform_pose(pose), true[name]) for name, pose in found.items()])


@pytest.mark.parametrize("seed", range(5))
def test_pieces_that_share_images_fit_exactly(walk, seed):
    true, _, names = walk
    pieces = [
        piece(true, names[:150], seed),
        piece(true, names[140:260], seed + 50),
        piece(true, names[250:], seed + 90),
    ]
    joined = join(pieces, {}, [names])
    assert joined.by == ["shared", "shared"]
    assert joined.world_from_cam.keys() == set(names)
    assert errors(joined, true, names[:150]).max() < 1e-5


@pytest.mark.parametrize("seed", range(5))
def test_odometry_joins_across_a_gap_as_well_as_it_counts(walk, seed):
    true, odometry, names = walk
    pieces = [piece(true, names[:180], seed), piece(true, names[186:300], seed + 50)]
    joined = join(pieces, odometry, [names])
    assert joined.by == ["odometry"]
    metres, radians = errors(joined, true, names[:180]).T
    # 2 % of scale over the 17 m of the second piece, and what it turns in the gap.
    assert metres.max() < 0.6
    assert np.degrees(radians.max()) < 3.0


def test_a_piece_between_two_others_joins_both(walk):
    true, odometry, names = walk
    pieces = [piece(true, names[:120], 0), piece(true, names[250:], 1), piece(true, names[125:245], 2)]
    joined = join(pieces, odometry, [names])
    assert joined.by == ["odometry", "odometry"]
    assert not joined.left


@pytest.mark.parametrize(
    "hindrance",
    ["no odometry", "another recording", "a long gap", "it stands"],
    ids=lambda text: text.replace(" ", "-"),
)
def test_what_nothing_places_is_left(walk, hindrance):
    true, odometry, names = walk
    first, second, sequences = names[:150], names[155:200], [names]
    if hindrance == "no odometry":
        odometry = {}
    elif hindrance == "another recording":
        sequences = [names[:152], names[152:]]
    elif hindrance == "a long gap":
        second = names[151 + LONGEST_GAP_FRAMES :]
    else:
        odometry = {**odometry, **dict.fromkeys(second, odometry[second[0]])}
    own = partial(piece, true)
    joined = join([own(first, 1), own(second, 2)], odometry, sequences)
    assert joined.by == []
    assert [set(left) for left in joined.left] == [set(second)]
    assert joined.world_from_cam.keys() == set(first)


def test_one_piece_stays_as_it_is(walk):
    true, odometry, names = walk
    only = piece(true, names[:20], 3)
    assert join([only], odometry, [names]) == (only, [], [])
    assert isinstance(only[names[0]], Pose)
