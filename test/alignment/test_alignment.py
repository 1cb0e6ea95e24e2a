import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from strategies import similarities

from campose_core.alignment.solvers.level import standing_at_origin
from campose_core.alignment.sources.distance import scale_of_distance
from campose_core.errors import AlignmentError
from campose_core.geometry import Pose, Similarity, pose_error
from campose_core.joining.robust_similarity import align_to_points, align_to_poses

CAM_LEVEL = Rotation.from_matrix([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # base (x forward) from camera (z forward)


def walk(count: int = 40, seed: int = 0, straight: bool = False, pitch_deg: float = 10.0) -> list[Pose]:
    """map_from_cam along a curved or straight way, with wandering heading, upright."""
    generator = np.random.default_rng(seed)
    along = np.linspace(0, 6, count)
    aside = np.zeros(count) if straight else np.sin(along)
    headings = np.cumsum(generator.normal(0, 0.4, count))
    return [
        Pose(Rotation.from_euler("ZY", [yaw, np.radians(pitch_deg)]) * CAM_LEVEL, np.array([x, y, 1.2]))
        for x, y, yaw in zip(along, aside, headings, strict=True)
    ]


def worst(found: Similarity, truth: Similarity, poses_sfm: list[Pose]) -> float:
    """Largest error in metres and radians over the poses."""
    pairs = [(found.transform_pose(pose), truth.transform_pose(pose)) for pose in poses_sfm]
    return max(max(pose_error(a, b)) for a, b in pairs)


@settings(max_examples=15, deadline=None)
@given(similarities, st.integers(0, 100), st.booleans())
def test_poses_recover_the_similarity_even_on_a_straight_way(map_from_sfm, seed, straight):
    truth = walk(seed=seed, straight=straight)
    poses_sfm = [map_from_sfm.inverse().transform_pose(pose) for pose in truth]
    found = align_to_poses(poses_sfm, truth)
    assert worst(found.map_from_sfm, map_from_sfm, poses_sfm) < 1e-4
    assert found.residual.max_m < 1e-4


def test_wild_reference_poses_move_nothing():
    truth, generator = walk(80), np.random.default_rng(1)
    reference = list(truth)
    for i in generator.choice(80, 24, replace=False):
        reference[i] = Pose(Rotation.random(None, generator), truth[i].translation + generator.normal(0, 5, 3))
    found = align_to_poses(truth, reference)
    assert worst(found.map_from_sfm, Similarity.identity(), truth) < 1e-3
    assert found.residual.max_m > 1.0  # and the residual tells of them


def test_orientations_of_another_body_are_noticed():
    """A reference of the robot's base, or of a tracker: its positions serve, its orientations do not fit."""
    truth = walk()
    generator = np.random.default_rng(2)
    reference = [Pose(Rotation.random(None, generator), pose.translation) for pose in truth]
    found = align_to_poses(truth, reference)
    assert "positions" in found.method
    assert worst(found.map_from_sfm, Similarity.identity(), truth) < 1e-4


@pytest.mark.parametrize("noise_m", [0.0, 0.3, 2.0])
def test_a_lens_whose_centre_was_guessed_turns_no_street(noise_m):
    """Along 270 m a degree is 4 m at the ends, and positions know better, as noisy as those of GPS."""
    way = np.arange(0.0, 270.0, 2.0)
    places = np.column_stack([way, 30.0 * np.sin(way / 60.0), 0.1 * np.cos(way)])
    headings = [Rotation.from_euler("z", 0.5 * np.cos(at / 60.0)) * CAM_LEVEL for at in way]
    truth = [Pose(heading, place) for heading, place in zip(headings, places, strict=True)]
    lens = Rotation.from_euler("xy", [1.2, 0.9], degrees=True)
    noise = np.random.default_rng(3).normal(0.0, 0.05, places.shape)
    poses_sfm = [Pose(p.rotation * lens, p.translation + off) for p, off in zip(truth, noise, strict=True)]
    measured = np.random.default_rng(4).normal(0.0, noise_m, places.shape)
    reference = [Pose(p.rotation, p.translation + off) for p, off in zip(truth, measured, strict=True)]
    found = align_to_poses(poses_sfm, reference)
    off = [
        np.linalg.norm(found.map_from_sfm.transform(p.translation) - q) for p, q in zip(poses_sfm, places, strict=True)
    ]
    assert max(off) < 0.3 + 0.5 * noise_m
    assert found.residual.median_deg == pytest.approx(1.5, abs=0.1 + 0.1 * noise_m)


def test_noisy_positions_of_a_short_way_leave_its_turn_to_the_orientations():
    """Half a metre of noise over three metres tells a turn to some degrees; 80 orientations that are right tell it."""
    truth, generator = walk(80), np.random.default_rng(5)
    places = np.array([0.5, 1.0, 1.0]) * [pose.translation for pose in truth]
    poses_sfm = [Pose(pose.rotation, place) for pose, place in zip(truth, places, strict=True)]
    reference = [Pose(p.rotation, p.translation + generator.normal(0.0, 0.5, 3)) for p in poses_sfm]
    found = align_to_poses(poses_sfm, reference)
    assert found.map_from_sfm.rotation.magnitude() < np.radians(0.5)


def test_poses_of_which_no_two_agree_are_refused():
    """One fits in place, another in turn, none in both: of a corridor's images matched across it."""
    places, turned_deg = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), (0.0, 9.0, 2.0)
    poses_sfm = [Pose(Rotation.identity(), place) for place in places]
    reference = [
        Pose(Rotation.from_euler("z", deg, degrees=True), place)
        for deg, place in zip(turned_deg, [*places[:2], [5.0, 5, 0]], strict=True)
    ]
    with pytest.raises(AlignmentError, match="no two agree in place and in turn"):
        align_to_poses(poses_sfm, reference)


def written_w_first(pose: Pose) -> Pose:
    """The pose that comes of reading w x y z as x y z w."""
    return Pose.from_quat_xyzw(np.roll(pose.quat_xyzw, 1), pose.translation)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("write", "said"),
    [
        (Pose.inverse, "are camera_from_map: give their inverse"),
        (written_w_first, "have w first .* `stamp_s x y z qw qx qy qz`"),
        (lambda pose: written_w_first(pose.inverse()), "are camera_from_map, with w first"),
    ],
)
def test_poses_in_another_direction_or_order_are_named(write, said, seed):
    truth = walk(seed=seed)
    turned = Similarity(2.0, Rotation.random(None, np.random.default_rng(seed)), np.array([1.0, 2.0, 3.0]))
    poses_sfm = [turned.transform_pose(pose) for pose in truth]
    with pytest.raises(AlignmentError, match=said):
        align_to_poses(poses_sfm, [write(pose) for pose in truth])


@pytest.mark.parametrize("roll_deg", [0.0, 90.0, -90.0])
def test_poses_of_a_robots_base_are_no_misreading(roll_deg):
    """The turns of a base about its upright axis look, with w first, like those of a camera that lies on its side."""
    level = walk(pitch_deg=0.0)
    base = [Pose(pose.rotation * CAM_LEVEL.inv(), pose.translation) for pose in level]
    on_its_side = Rotation.from_euler("z", roll_deg, degrees=True)
    truth = [Pose(pose.rotation * on_its_side, pose.translation) for pose in level]
    found = align_to_poses(truth, base)
    assert "positions" in found.method
    assert worst(found.map_from_sfm, Similarity.identity(), truth) < 1e-4


@pytest.mark.parametrize(
    ("sfm", "reference", "message"),
    [
        (walk(2), walk(2), "only 2 frames"),
        (walk(20), [Pose(p.rotation, p.translation * 1e-3) for p in walk(20)], "too short"),
    ],
)
def test_what_does_not_determine_a_frame_is_refused(sfm, reference, message):
    with pytest.raises(AlignmentError, match=message):
        align_to_poses(sfm, reference)


@given(similarities)
def test_three_point_pairs_suffice(map_from_sfm):
    points = np.array([[0, 0, 0], [4, 0, 0], [0, 3, 0.0]])
    found = align_to_points(points, map_from_sfm.transform(points)).map_from_sfm
    np.testing.assert_allclose(found.transform(points), map_from_sfm.transform(points), rtol=1e-6, atol=1e-5)


def test_collinear_point_pairs_are_refused_with_advice():
    points = np.outer(np.arange(5.0), [1, 2, 3])
    with pytest.raises(AlignmentError, match="one line"):
        align_to_points(points, points)


@settings(max_examples=15, deadline=None)
@given(similarities, st.floats(-30, 30), st.integers(0, 50))
def test_a_known_distance_and_up_give_a_frame_at_the_first_camera(map_from_sfm, pitch_deg, seed):
    """Up to where the origin is and where x points, which one distance cannot tell."""
    truth = walk(pitch_deg=pitch_deg, seed=seed)
    poses_sfm = [map_from_sfm.inverse().transform_pose(pose) for pose in truth]
    metres = float(np.linalg.norm(truth[0].translation - truth[20].translation))
    path = np.array([pose.translation for pose in poses_sfm])
    scale = scale_of_distance(path[0], path[20], path, metres)
    assert scale == pytest.approx(map_from_sfm.scale, rel=1e-6)
    up = map_from_sfm.rotation.inv().apply([0.0, 0.0, 1.0])
    found = standing_at_origin(poses_sfm, scale, up, height_m=1.2)
    mapped = [found.transform_pose(pose) for pose in poses_sfm]
    np.testing.assert_allclose([pose.translation[2] for pose in mapped], 1.2, atol=1e-6)
    np.testing.assert_allclose(mapped[0].translation[:2], 0, atol=1e-6)
    assert mapped[0].rotation.apply([0, -1, 0])[2] > 0.5  # the image's up is up


def test_a_first_camera_that_looks_down_gives_no_heading_and_the_next_one_does():
    down = Pose(Rotation.from_euler("Y", np.pi / 2) * CAM_LEVEL, np.array([3.0, 0.0, 1.0]))
    ahead = walk(5)
    found = standing_at_origin([down, *ahead], 1.0, np.array([0.0, 0.0, 1.0]), 0.0)
    np.testing.assert_allclose(found.transform(ahead[0].translation)[:2], 0, atol=1e-9)
    with pytest.raises(AlignmentError, match="straight up or down"):
        standing_at_origin([down, down], 1.0, np.array([0.0, 0.0, 1.0]), 0.0)


def test_two_frames_at_one_place_have_no_distance():
    path = np.array([[0.0, 0, 0], [1.0, 0, 0], [1.0, 0, 0]])
    with pytest.raises(AlignmentError, match="at different places"):
        scale_of_distance(path[1], path[2], path, 2.0)
