"""Pieces that no image joins, joined by odometry: within its own error where it is good, else not, and why not."""

import numpy as np
import pytest
from pieces import drifting, errors, nodding, piece, planar, with_turn
from scipy.spatial.transform import Rotation

from campose_core.bag.odometry import camera_odometry
from campose_core.geometry import Pose
from campose_core.joining.join import join
from campose_core.joining.odometry_joint import LONGEST_GAP_FRAMES
from campose_core.simulation.building import build_world
from campose_core.simulation.drive import BASE_FROM_CAM, drifting_odometry, drive
from campose_core.trajectory import read_tum

FIRST, SECOND = slice(0, 180), slice(186, 300)


@pytest.fixture(scope="module")
def base():
    return drive(build_world("demo", 0), "mapping", rate_hz=5.0)


def named(trajectory):
    return {f"walk/{i:04d}.jpg": pose for i, (_, pose) in enumerate(trajectory.moved_by(BASE_FROM_CAM))}


@pytest.fixture(scope="module")
def walk(base):
    """True map_from_cam and drifting odom_from_cam of a drive through three rooms, by name, and the names in order."""
    true = named(base)
    return true, named(drifting_odometry(base)), list(true)


def two_pieces(true, names, seed=0):
    """On both sides of a gap of 1.2 s, as noisy as poses of a mapper."""
    return [piece(true, names[FIRST], seed, 0.1, 0.002), piece(true, names[SECOND], seed + 50, 0.1, 0.002)]


def refusal(pieces, odometry, names, seen=None):
    joined = join(pieces, odometry, [names], seen or {})
    assert joined.by == []
    assert joined.left == pieces[1:]
    assert joined.world_from_cam == pieces[0]
    (said,) = joined.refused
    return said


@pytest.mark.parametrize(("drift", "metres", "deg"), [(0.0, 0.05, 0.5), (0.02, 0.6, 3.0)])
@pytest.mark.parametrize("seed", range(5))
def test_odometry_joins_across_a_gap_as_well_as_it_counts(base, walk, seed, drift, metres, deg):
    true, _, names = walk
    joined = join(two_pieces(true, names, seed), named(drifting_odometry(base, drift, seed)), [names], {})
    assert joined.by == ["odometry"]
    # The drift of scale over the 17 m of the second piece, and what it turns in the gap.
    off_m, off_rad = errors(joined.world_from_cam, true, names[FIRST]).T
    assert off_m.max() < metres
    assert np.degrees(off_rad.max()) < deg


@pytest.mark.parametrize("drift", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("seed", range(5))
def test_worse_odometry_joins_within_a_few_degrees_or_not_at_all(base, walk, seed, drift):
    true, _, names = walk
    joined = join(two_pieces(true, names, seed), named(drifting_odometry(base, drift, seed)), [names], {})
    if joined.by:
        assert np.degrees(errors(joined.world_from_cam, true, names[FIRST])[:, 1].max()) < 4.5
    else:
        assert "odometry turns otherwise than the images" in joined.refused[0]


@pytest.mark.parametrize("pitch_deg", [1.0, 2.0])
def test_a_camera_that_shakes_on_its_pole_still_joins(walk, pitch_deg):
    true, odometry, names = walk
    shaken = nodding(true, pitch_deg)
    joined = join(two_pieces(shaken, names), odometry, [names], {})
    assert joined.by == ["odometry"]
    assert errors(joined.world_from_cam, shaken, names[FIRST])[:, 0].max() < 1.0


def test_a_piece_between_two_others_joins_both(walk):
    true, odometry, names = walk
    pieces = [piece(true, names[:120], 0), piece(true, names[250:], 1), piece(true, names[125:245], 2)]
    joined = join(pieces, odometry, [names], {})
    assert joined.by == ["odometry", "odometry"]
    assert not joined.left
    assert not joined.refused


def test_two_gaps_that_agree_join_better_than_one(walk):
    true, odometry, names = walk
    both = [piece(true, names[:100] + names[200:], 0), piece(true, names[106:194], 1)]
    joined = join(both, odometry, [names], {})
    assert joined.by == ["odometry"]
    assert errors(joined.world_from_cam, true, [*both[0]])[:, 0].max() < 0.1


@pytest.mark.parametrize(
    "hindrance",
    ["no odometry", "another recording", "a long gap"],
    ids=lambda text: text.replace(" ", "-"),
)
def test_what_nothing_places_is_left_without_a_word(walk, hindrance):
    true, odometry, names = walk
    first, second, sequences = names[:150], names[155:200], [names]
    if hindrance == "no odometry":
        odometry = {}
    elif hindrance == "another recording":
        sequences = [names[:152], names[152:]]
    else:
        second = names[151 + LONGEST_GAP_FRAMES :]
    joined = join([piece(true, first, 1), piece(true, second, 2)], odometry, sequences, {})
    assert joined.by == joined.refused == []
    assert [set(left) for left in joined.left] == [set(second)]
    assert joined.world_from_cam.keys() == set(first)


def stands(odometry, names):
    return {**odometry, **dict.fromkeys(names[SECOND], odometry[names[SECOND][0]])}


def slips(odometry, names):
    """Beside the gap too, as wheels on a threshold do."""
    return with_turn(odometry, names[170:196], 60.0)


def jumps(odometry, names):
    return with_turn(odometry, names[182:184], 40.0)


def leaps(odometry, names):
    ahead = np.array([4.0, 0.0, 0.0])
    later = {name: Pose(odometry[name].rotation, odometry[name].translation + ahead) for name in names[183:]}
    return {**odometry, **later}


def goes_sideways(odometry, names):
    """Of a camera that looks elsewhere than its mounting says."""
    turned = Pose(Rotation.from_euler("y", 40.0, degrees=True), np.zeros(3))
    return {name: pose * turned for name, pose in odometry.items()}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (stands, "odometry "),
        (slips, "odometry turns otherwise than the images, by"),
        (jumps, "deg a frame, while the pieces confirm"),
        (leaps, "m a frame, while the pieces confirm"),
        (goes_sideways, "otherwise than the images"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_bad_odometry_is_refused_in_words(walk, spoil, words):
    true, odometry, names = walk
    said = refusal(two_pieces(true, names), spoil(odometry, names), names)
    assert said.startswith("114 keyframes walk/0186.jpg .. walk/0299.jpg: across walk/0179.jpg .. walk/0186.jpg ")
    assert words in said


def test_gaps_that_contradict_each_other_are_refused(walk):
    """A turn at usual speed in one of them: neither piece knows of it."""
    true, odometry, names = walk
    pieces = [piece(true, names[:100] + names[200:], 0), piece(true, names[106:194], 1)]
    said = refusal(pieces, with_turn(odometry, names[99:107], 30.0), names)
    assert "odometry across 2 gaps contradicts itself, by" in said


def matched(true, names, wrong=()):
    """Turns of pairs up to three frames apart, some of them by matches of something else."""
    rng = np.random.default_rng(0)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 : i + 4]]
    noise = {
        pair: Rotation.from_rotvec(np.radians(60.0 if pair in wrong else 1.0) * rng.normal(size=3)) for pair in pairs
    }
    return {(a, b): true[a].rotation.inv() * true[b].rotation * noise[a, b] for a, b in pairs}


def test_a_wrong_turn_at_usual_speed_is_seen_by_images_in_the_gap(walk):
    true, odometry, names = walk
    turned = with_turn(odometry, names[179:187], 40.0)
    said = refusal(two_pieces(true, names), turned, names, matched(true, names[177:189]))
    assert "odometry turns otherwise than the images in the gap, by " in said
    assert int(said.split()[-2]) == pytest.approx(40, abs=6)


def test_two_pairs_alone_refuse_nothing(walk):
    true, odometry, names = walk
    few = [(names[179], names[183]), (names[182], names[186])]
    seen = {pair: Rotation.from_rotvec([0.0, 1.0, 0.0]) for pair in few}
    assert join(two_pieces(true, names), odometry, [names], seen).by == ["odometry"]


def test_single_pairs_of_other_things_refuse_no_good_odometry(walk):
    true, odometry, names = walk
    wrong = [(names[180], names[181]), (names[182], names[185]), (names[184], names[186])]
    joined = join(two_pieces(true, names), odometry, [names], matched(true, names[177:189], wrong))
    assert joined.by == ["odometry"]


def test_planar_odometry_of_a_nodding_head_is_refused(walk):
    true, odometry, names = walk
    said = refusal(two_pieces(nodding(true, 6.0), names), odometry, names)
    assert "planar odometry (the images tilt by " in said
    assert said.endswith("of a camera in a hand or on a head")


@pytest.fixture(scope="module")
def kitchen(shared_data):
    """A camera held by hand at 10 Hz: true map_from_cam by name of all frames, and of those of a bag with their
    odom_from_cam, which is planar."""
    folder = shared_data / "redkitchen"
    mapping = read_tum(folder / "mapping.tum")
    both = sorted([*mapping, *read_tum(folder / "query.tum")], key=lambda row: row[0])
    recorded = camera_odometry(folder / "mapping.bag", "camera_optical")
    of_bag = {f"bag/{i:04d}.jpg": pose for i, (_, pose) in enumerate(mapping)}
    odometry = dict(zip(of_bag, [pose for _, pose in recorded], strict=True))
    return {f"all/{i:04d}.jpg": pose for i, (_, pose) in enumerate(both)}, of_bag, odometry


GAPS = [(60, 66), (150, 156), (150, 160), (230, 242), (280, 284)]


@pytest.mark.parametrize("gap", GAPS)
def test_planar_odometry_of_a_camera_in_a_hand_is_refused(kitchen, gap):
    true, _, _ = kitchen
    names = [*true]
    pieces = [piece(true, names[: gap[0]], 1, 0.1, 0.002), piece(true, names[gap[1] :], 2, 0.1, 0.002)]
    assert "planar odometry (the images tilt by " in refusal(pieces, planar(true), names)


@pytest.mark.parametrize("gap", [(34, 34), (60, 66), (134, 134), (175, 180)])
def test_so_is_what_the_bag_has(kitchen, gap):
    _, true, odometry = kitchen
    names = [*true]
    pieces = [piece(true, names[: gap[0]], 1, 0.1, 0.002), piece(true, names[gap[1] :], 2, 0.1, 0.002)]
    assert "planar odometry (the images tilt by " in refusal(pieces, odometry, names)


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("drift", [0.02, 0.05])
def test_odometry_in_space_joins_a_camera_in_a_hand(kitchen, gap, drift):
    true, _, _ = kitchen
    names = [*true]
    pieces = [piece(true, names[: gap[0]], 1, 0.1, 0.002), piece(true, names[gap[1] :], 2, 0.1, 0.002)]
    joined = join(pieces, drifting(true, drift), [names], {})
    assert joined.by == ["odometry"]
    off_m, off_rad = errors(joined.world_from_cam, true, names[: gap[0]]).T
    assert off_m.max() < 2 * drift * 1.5  # the kitchen is 1.5 m across
    assert np.degrees(off_rad.max()) < 2.0
