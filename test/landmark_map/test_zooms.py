"""Zooms that take seconds: a camera for every few keyframes shows them, and a steady walk shows none."""

import numpy as np
import pytest
from landmark_rooms import looking
from posed_models import OWN, reconstructed, room

from campose_core.landmark_map.colmap import adjust
from campose_core.landmark_map.lens_switches import switch_texts
from campose_core.landmark_map.zooms import (
    Steady,
    Zoom,
    camera_of,
    change_text,
    first_of_lenses,
    steady_lenses,
    zooms_between,
)

COUNT = 60
NAMES = [f"walk/{number:06d}.jpg" for number in range(1, COUNT + 1)]
WALK = [
    looking(0.03 * n, np.array([3 + 1.5 * np.cos(0.1 * n), 2.5 + 1.5 * np.sin(0.1 * n), 1.4])) for n in range(COUNT)
]


def bent(zooms):
    """A walk in a room as mapping leaves it with one camera."""
    model = reconstructed(WALK, room(300), zooms=zooms)
    adjust(model)
    return model


def ramp(*, start, end, zoom):
    return np.interp(np.arange(COUNT), [start, end], [1.0, zoom])


@pytest.mark.parametrize("zoom", [0.8, 1.3])
def test_a_zoom_of_some_seconds_is_found_with_the_focal_lengths_around_it(zoom):
    model = bent(ramp(start=24, end=36, zoom=zoom))
    _, lenses = steady_lenses(model, {"walk": NAMES})
    before, after = lenses["walk"]
    assert (before.focal, after.focal) == pytest.approx((OWN.focal[0], zoom * OWN.focal[0]), rel=0.03)
    (between,) = zooms_between(lenses, {"walk": NAMES})
    assert 20 <= NAMES.index(between.before) <= 26
    assert 33 <= NAMES.index(between.after) <= 40
    assert camera_of(model, after).mean_focal_length() == pytest.approx(after.focal)


@pytest.mark.parametrize("zoom", [0.8, 1.06, 1.3])
def test_a_switch_that_nobody_knows_of_shows_in_a_map_with_one_camera(zoom):
    model = bent(ramp(start=29, end=30, zoom=zoom))
    before, after = steady_lenses(model, {"walk": NAMES})[1]["walk"]
    assert after.focal / before.focal == pytest.approx(zoom, rel=0.03)


def test_a_steady_walk_shows_none():
    model = bent(np.ones(COUNT))
    assert steady_lenses(model, {"walk": NAMES}) == (model, {})


def test_a_known_switch_is_no_zoom_and_one_in_a_zoom_is_no_switch():
    switches = [NAMES[30]]
    assert steady_lenses(bent(ramp(start=29, end=30, zoom=1.3)), {"walk": NAMES}, switches)[1] == {}
    _, lenses = steady_lenses(bent(ramp(start=24, end=36, zoom=1.3)), {"walk": NAMES}, switches)
    zooms = zooms_between(lenses, {"walk": NAMES}, switches)
    assert len(zooms) == 1
    assert zooms[0].holds(NAMES[30])
    assert first_of_lenses(lenses, zooms, switches) == [zooms[0].after]


def test_who_zooms_all_the_time_has_no_lens():
    model = bent(np.interp(np.arange(COUNT), [0, 15, 30, 45, 59], [1.0, 1.5, 1.0, 1.5, 1.0]))
    assert steady_lenses(model, {"walk": NAMES})[1] == {"walk": []}


def test_who_passes_a_wall_shows_none():
    """What leaves the focal length open is no zoom."""
    wall = np.random.default_rng(0).uniform([4.0, -4.0, -2.0], [4.02, 10.0, 5.0], (300, 3))
    model = reconstructed([looking(0.0, np.array([1.0, 0.1 * n, 1.4])) for n in range(COUNT)], wall)
    adjust(model)
    assert steady_lenses(model, {"walk": NAMES})[1] == {}


def test_what_lies_between_steady_stretches_is_left_out_unless_a_switch_is_known_there():
    lenses = {"walk": [Steady(tuple(NAMES[10:30]), 520.0, 20), Steady(tuple(NAMES[30:]), 676.0, 30)]}
    start = Zoom("walk", "", NAMES[10])
    assert zooms_between(lenses, {"walk": NAMES}, [NAMES[30]]) == [start]
    assert zooms_between(lenses, {"walk": NAMES}) == [start, Zoom("walk", NAMES[29], NAMES[30])]
    assert first_of_lenses(lenses, [start], ["other/000003.jpg", NAMES[30]]) == ["other/000003.jpg", NAMES[30]]
    assert [start.holds(name) for name in (NAMES[0], NAMES[10], "other/000001.jpg")] == [True, False, False]
    end = Zoom("walk", NAMES[50], "")
    assert [end.holds(name) for name in ("walk/999999.jpg", NAMES[50])] == [True, False]


def test_people_are_told_when_and_how_many_frames():
    stamps = {name: row * 100_000_000 for row, name in enumerate(NAMES)}
    zoom = Zoom("walk", NAMES[19], NAMES[30])
    (text,) = switch_texts([NAMES[30]], [zoom], {"walk": OWN}, stamps)
    assert "somebody zooms in walk from 1.90 to 3.00 s: its 10 frames" in text
    assert "from 520 to unknown pixels" in text
    (text,) = switch_texts([], [Zoom("walk", "", NAMES[5])], {"walk": OWN}, stamps)
    assert "from 0.00 to 0.50 s: its 5 frames" in text
    assert "the focal length of walk changes from 1.90 s on" in change_text(zoom, stamps)
