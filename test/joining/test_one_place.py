"""Two walks that a model puts into one room: through that room both, or through two that look alike in a corner."""

from itertools import pairwise

import numpy as np
import pytest
from posed_models import reconstructed, room
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose
from campose_core.joining.components import Explained, pieces_of
from campose_core.joining.one_place import side_by_side
from campose_core.simulation.drive import BASE_FROM_CAM

COUNT = 20  # images of each walk


def walk(aside_m: float) -> list[Pose]:
    angles = np.linspace(0.0, 2.0 * np.pi, COUNT, endpoint=False)
    places = np.column_stack([3.0 + np.cos(angles) + aside_m, 2.5 + np.sin(angles), np.full(COUNT, 1.2)])
    return [
        Pose(Rotation.from_euler("z", np.pi / 2 + angle), place) * BASE_FROM_CAM
        for angle, place in zip(angles, places, strict=True)
    ]


def two_walks(common_share: float):
    """Of each walk's landmarks so many are seen in the other too."""
    model = reconstructed([*walk(0.0), *walk(0.1)], room(12000))
    generator = np.random.default_rng(0)
    for point_id in list(model.point3D_ids()):
        if generator.random() < common_share:
            continue
        gone = generator.integers(2)
        seen = [(element.image_id, element.point2D_idx) for element in model.point3D(point_id).track.elements]
        for image_id, at in seen:
            # COLMAP takes the point away with the last but one that sees it.
            if (image_id > COUNT) == gone and model.image(image_id).points2D[at].has_point3D():
                model.delete_observation(image_id, at)
    names = sorted(model.image(i).name for i in model.reg_image_ids())
    within = [Explained(*pair, 100, 80) for half in (names[:COUNT], names[COUNT:]) for pair in pairwise(half)]
    across = [Explained(a, b, 60, 30) for a in names[COUNT - 3 : COUNT] for b in names[COUNT : COUNT + 3]]
    return model, names, within + across


@pytest.mark.parametrize(("common_share", "pieces"), [(0.0, 2), (0.3, 1), (1.0, 1)])
def test_walks_side_by_side_are_of_one_place_where_they_see_the_same(common_share, pieces):
    model, names, explained = two_walks(common_share)
    for sequences in ([names], [names[:COUNT], names[COUNT:]]):  # one recording, or two
        found = pieces_of(model, explained, sequences)
        assert [len(piece.world_from_cam) for piece in found] == [2 * COUNT // pieces] * pieces


def test_what_stands_apart_or_looks_another_way_says_nothing():
    model = reconstructed(walk(0.0), room(3000))
    names = sorted(model.image(i).name for i in model.reg_image_ids())
    beside = side_by_side(model, names)
    turns = np.abs(np.diff(beside.pairs, axis=1)).ravel()
    assert np.minimum(turns, COUNT - turns).max() == 1  # 18 deg each
    assert beside.see_the_same.all()
