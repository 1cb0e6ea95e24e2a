"""What the images of a reconstruction hold together."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose, rotation_angle
from campose_core.joining.components import Explained, explained_pairs, is_folded, pieces_of
from campose_core.joining.loop_drift import LoopDrift, comes_back, loop_drift
from campose_core.joining.seen_turns import seen_turns
from campose_core.landmark_map.colmap import load_pycolmap, model_poses

pytestmark = pytest.mark.slow


@pytest.fixture
def mapped(small_scene):
    """The model of a rendered room, the names of its images in time order, and its open database."""
    pycolmap = load_pycolmap()
    model = pycolmap.Reconstruction(small_scene / "sfm" / "model")
    with pycolmap.Database.open(str(small_scene / "sfm" / "database.db")) as database:
        yield model, sorted(model.image(i).name for i in model.reg_image_ids()), database


def without_common_landmarks(model, first, second):
    """As a mapper leaves two sides that it could not place to each other: nothing is seen from both."""
    names = {i: model.image(i).name for i in model.reg_image_ids()}
    for point_id, point in list(model.points3D.items()):
        seen = {names[element.image_id] for element in point.track.elements}
        if seen & first and seen & second:
            model.delete_point3D(point_id)


def test_a_whole_map_is_one_piece(mapped):
    model, names, database = mapped
    (piece,) = pieces_of(model, explained_pairs(model, database), [names])
    assert piece.is_whole
    assert sorted(piece.world_from_cam) == names
    for image_id in model.reg_image_ids():
        rigid = model.image(image_id).cam_from_world().inverse()
        assert np.allclose(piece.world_from_cam[model.image(image_id).name].translation, rigid.translation)


def test_most_matches_of_a_right_map_are_common_landmarks(mapped):
    model, _, database = mapped
    pairs = explained_pairs(model, database)
    assert len(pairs) > 50
    assert all(0 <= pair.common <= pair.shown for pair in pairs)
    assert np.median([pair.common / max(pair.shown, 1) for pair in pairs]) > 0.5


def test_a_map_is_cut_where_no_match_is_explained(mapped):
    model, names, database = mapped
    first, second = set(names[:20]), set(names[20:])
    without_common_landmarks(model, first, second)
    pieces = pieces_of(model, explained_pairs(model, database), [names])
    assert len(pieces) >= 2
    for piece in pieces:
        assert not piece.is_whole
        assert piece.world_from_cam.keys() <= first or piece.world_from_cam.keys() <= second
    assert sum(len(piece.world_from_cam) for piece in pieces) > 0.8 * len(names)


def test_a_map_that_explains_no_neighbours_is_folded(mapped):
    """As a corridor of alike doors that was put onto itself: far apart in time all fits, from door to door not."""
    model, names, database = mapped
    explained = explained_pairs(model, database)
    (piece,) = pieces_of(model, explained, [names])
    assert not is_folded(piece, explained, [names])
    breaks = names[::7]
    folded = [pair._replace(common=0) if {pair.first, pair.second} & {*breaks} else pair for pair in explained]
    assert is_folded(piece, folded, [names])
    assert not is_folded(piece, folded, [[name] for name in names])  # of as many recordings none has neighbours


def test_one_alike_thing_joins_no_two_places(mapped):
    """A fire extinguisher of the same make fits by itself; what is beside it does not."""
    model, names, _ = mapped
    halves = names[: len(names) // 2], names[len(names) // 2 :]
    across = [(names[0], names[-1]), (names[1], names[-1]), (names[0], names[-2])]
    within = [Explained(one, other, 100, 80) for half in halves for one, other in pairwise(half)]

    def count(commons):
        extinguisher = [Explained(*pair, 60, common) for pair, common in zip(across, commons, strict=True)]
        return len(pieces_of(model, within + extinguisher, [names]))

    assert count([40, 40, 40]) == 1
    assert count([40, 40, 10]) == 1  # 10 of 60 speak neither for it nor against
    assert count([40, 40, 1]) == 2
    assert count([40, 10, 10]) == 2


def stepping(explained, names, at, counts):
    """The pairs with those across one step of the walk replaced: (before, after) of the step: (shown, common)."""
    first = {*names[:at]}
    kept = [pair for pair in explained if (pair.first in first) == (pair.second in first)]
    return [*kept, *(Explained(names[at - b], names[at + a - 1], *count) for (b, a), count in counts.items())]


def test_a_walk_goes_on_where_its_pairs_explain_little_and_contradict_nothing(mapped):
    model, names, database = mapped
    explained = explained_pairs(model, database)
    campus = {(1, 1): (464, 130), (1, 2): (360, 113), (2, 1): (380, 56)}
    (piece,) = pieces_of(model, stepping(explained, names, 20, campus), [names])
    assert piece.is_whole
    (piece,) = pieces_of(model, stepping(explained, names, 20, {(1, 1): (9, 8), (1, 2): (6, 6)}), [names])
    assert piece.is_whole
    building = {(1, 1): (41, 0), (1, 2): (79, 30), (2, 1): (33, 7)}
    assert not pieces_of(model, stepping(explained, names, 20, building), [names])[0].is_whole
    few = {(1, 1): (9, 5), (1, 2): (6, 6)}
    assert not pieces_of(model, stepping(explained, names, 20, few), [names])[0].is_whole


def test_what_images_next_to_each_other_deny_nothing_else_joins(mapped):
    """Of a corridor of alike doors, by which all of one stretch fits on the one before."""
    model, names, _ = mapped
    half = len(names) // 2
    within = [Explained(one, other, 100, 80) for part in (names[:half], names[half:]) for one, other in pairwise(part)]
    doors = [Explained(names[half - 10 + i], names[half + i], 100, 80) for i in range(8)]
    for common, expected in ((20, 2), (80, 1)):
        next_door = Explained(names[half - 1], names[half], 100, common)
        assert len(pieces_of(model, [*within, *doors, next_door], [names])) == expected
    assert len(pieces_of(model, [*within, *doors], [names])) == 1  # nothing seen between the two


def test_loops_hold_the_map_where_neighbours_drift(mapped):
    model, names, database = mapped
    drift = loop_drift(model, database, [names])
    assert drift.loops > 0
    assert drift.map_deg < drift.chained_deg
    assert drift.map_deg < 2.0


def test_a_walk_without_loops_says_so(mapped):
    model, names, database = mapped
    assert loop_drift(model, database, [names[:15], names[15:30]]) == LoopDrift(loops=0)


def test_a_street_comes_back_nowhere_and_a_round_does(mapped):
    model, names, _ = mapped
    assert comes_back(model_poses(model), [names])  # round a room
    away = np.arange(60.0)
    bent = np.column_stack([20.0 * np.sin(away / 20.0), away, 0.0 * away])
    there_and_back = np.column_stack([np.minimum(away, 60.0 - away), 0.0 * away, 0.0 * away])
    for places, expected in ((bent, False), (there_and_back, True)):
        walk = {f"{i:03d}": Pose(Rotation.identity(), place) for i, place in enumerate(places)}
        assert comes_back(walk, [sorted(walk)]) is expected
        assert comes_back(walk, [sorted(walk)[:30], sorted(walk)[30:]])  # of two recordings nobody knows


def test_turns_between_pieces_are_seen_by_pairs_of_images(mapped):
    model, names, database = mapped
    poses = model_poses(model)
    numbers = {name: int(at >= 20) for at, name in enumerate(names) if not 17 <= at < 23}
    seen = seen_turns(database, [names], numbers)
    assert len(seen) > 10
    for first, second in seen:
        assert names.index(first) < names.index(second)
        assert first not in numbers or numbers[first] != numbers.get(second)
    off = [rotation_angle(turn.inv() * poses[a].rotation.inv() * poses[b].rotation) for (a, b), turn in seen.items()]
    assert np.degrees(np.median(off)) < 1.5
    assert not seen_turns(database, [names], dict.fromkeys(names, 0))
