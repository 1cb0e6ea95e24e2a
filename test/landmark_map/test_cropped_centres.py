"""Images that were all cropped to one side: the centre of the lens is found, and others keep theirs."""

import numpy as np
import pytest
from landmark_rooms import looking
from posed_models import OWN, reconstructed, room

from campose_core.landmark_map.colmap import adjust, from_colmap_camera
from campose_core.landmark_map.cropped_centres import with_found_centres

WALK = [looking(0.05 * n, np.array([3 + 1.5 * np.cos(0.2 * n), 2.5 + 1.5 * np.sin(0.2 * n), 1.4])) for n in range(20)]


def bent(**lens):
    """A walk in a room as mapping leaves it with the centre in the middle."""
    model = reconstructed(WALK, room(1000), **lens)
    adjust(model)
    return model


@pytest.mark.parametrize("aside_px", [(110.0, 80.0), (-90.0, 0.0)])
def test_the_centre_of_cropped_images_is_found_with_the_focal_length(aside_px):
    found = from_colmap_camera(with_found_centres(bent(aside_px=aside_px), ["walk"]).camera(1))
    assert found.centre == pytest.approx(np.add(OWN.centre, aside_px), abs=5.0)
    assert found.focal[0] == pytest.approx(OWN.focal[0], rel=0.015)


def test_images_that_are_whole_or_of_a_known_camera_stay_as_they_are():
    whole = bent()
    assert with_found_centres(whole, ["walk"]) is whole
    cropped = bent(aside_px=(110.0, 80.0))
    assert with_found_centres(cropped, ["other"]) is cropped
