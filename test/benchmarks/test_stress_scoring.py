"""Stress: what counts as wrong and sure, as given up and as found again; and that disturbances are what they say."""

import math

import numpy as np
import pytest

from campose_core.camera import Camera
from campose_core.matrix.conditions.light import motion_blurred
from campose_core.simulation.building import build_world

pytest.importorskip("cv2", reason="needs the extra `map`")

from benchmarks.localization import disturbances as disturb
from benchmarks.localization.__main__ import SECTIONS
from benchmarks.localization.drives import NARROW, WIDE, WIDE_DRAWN
from benchmarks.localization.scoring import Event, Judged, score
from benchmarks.localization.worlds import bare

SECOND = 10**9


def rows(*columns: tuple[float, str, float | None]) -> list[Judged]:
    return [Judged(round(at_s * SECOND), status, error_m, "tracked") for at_s, status, error_m in columns]


def test_wrong_is_a_published_pose_more_than_a_metre_off_as_a_share_of_all_images():
    scored = score(rows((0, "TRACKING", 0.01), (1, "TRACKING", 1.5), (2, "LOST", None), (3, "TRACKING", 0.99)))
    assert (scored.frames, scored.published, scored.wrong) == (4, 3, 1)
    assert scored.wrong_and_sure == 0.25
    assert scored.median_m == 0.99
    assert scored.kinds == {"tracked": 3}


def test_a_kidnapping_is_timed_until_the_old_place_is_given_up_and_until_the_new_one_is_found():
    judged = rows((0, "TRACKING", 0.0), (1, "TRACKING", None), (1.5, "LOST", None), (2, "TRACKING", 0.1))
    event = score(judged, [Event("kidnapped", SECOND, SECOND, carried=True)]).events[0]
    assert (event.lost_after_s, event.found_after_s) == (0.5, 1.0)


def test_finding_the_new_place_at_once_gives_up_the_old_one_too():
    judged = rows((0, "TRACKING", 0.0), (1, "TRACKING", None), (1.2, "TRACKING", 0.1))
    event = score(judged, [Event("kidnapped", SECOND, SECOND, carried=True)]).events[0]
    assert event.lost_after_s == event.found_after_s == pytest.approx(0.2)


def test_poses_published_without_a_view_are_counted_right_or_wrong():
    judged = rows((0, "TRACKING", 0.0), (1, "TRACKING", 0.0), (2, "TRACKING", 0.3), (3, "TRACKING", 0.0))
    event = score(judged, [Event("covered", SECOND, 3 * SECOND, blind=True)]).events[0]
    assert event.published_blind == 2
    assert event.lost_after_s == math.inf
    assert event.found_after_s == 0.0


def test_an_event_is_scored_until_the_next_one():
    events = [Event("kidnapped", 0, 0, carried=True), Event("kidnapped", 2 * SECOND, 2 * SECOND, carried=True)]
    scored = score(rows((0, "TRACKING", None), (1, "TRACKING", 5.0), (2, "LOST", None), (3, "TRACKING", 0.0)), events)
    assert [event.lost_after_s for event in scored.events] == [math.inf, 0.0]
    assert [event.found_after_s for event in scored.events] == [math.inf, 1.0]


@pytest.mark.parametrize("lens", [NARROW, WIDE])
def test_another_lens_sees_each_point_where_its_camera_projects_it(lens: Camera):
    taken_by = WIDE_DRAWN if lens is WIDE else Camera("PINHOLE", 640, 480, (420.0, 420.0, 321.3, 238.4))
    rng = np.random.default_rng(0)
    for ray in rng.uniform(-0.35, 0.35, (5, 2)):
        spot = np.append(ray, 1.0)[None]
        columns, rows_ = np.meshgrid(np.arange(taken_by.width), np.arange(taken_by.height))
        at = taken_by.project(spot)[0]
        blob = 255 * np.exp(-((columns - at[0]) ** 2 + (rows_ - at[1]) ** 2) / 18)
        seen = disturb.through_lens(np.stack([blob] * 3, axis=2).astype(np.uint8), taken_by, lens)[..., 0].astype(float)
        weight = seen / seen.sum()
        centre = [(weight * np.arange(lens.width)).sum(), (weight * np.arange(lens.height)[:, None]).sum()]
        np.testing.assert_allclose(centre, lens.project(spot)[0], atol=0.3)


def test_a_blur_spreads_along_its_direction_and_keeps_the_light():
    image = np.zeros((101, 101, 3), dtype=np.uint8)
    image[45:56, 45:56] = 250
    blurred = motion_blurred(image, 30.0, np.array([0.0, 2.0]))[..., 0].astype(float)
    assert blurred.sum() == pytest.approx(image[..., 0].sum(), rel=0.05)
    assert (blurred.sum(axis=1) > 0).sum() >= 40
    assert (blurred.sum(axis=0) > 0).sum() <= 13


def test_a_covered_lens_shows_noise_and_nothing_else():
    image = np.full((40, 40, 3), 200, dtype=np.uint8)
    assert disturb.exposed(image, 0.0, 1).max() < 20
    assert abs(disturb.exposed(image, 0.5, 1).mean() - 100) < 1


def test_a_bare_room_has_paint_before_everything_on_its_walls_and_keeps_its_doors():
    world = build_world("demo", 0)
    painted = bare(world, "corridor").surfaces[len(world.surfaces) :]
    room = world.place("corridor")
    assert {surface.material for surface in painted} == {"blank"}
    for surface in painted:
        middle = np.array(surface.corner) + np.array(surface.along) / 2 + np.array(surface.down) / 2
        assert ((middle[:2] > room.low) & (middle[:2] < room.high)).all()
        for door in world.doorways:
            beside_door = abs(middle[1] - door.low[1]) < 0.3 and door.low[0] < middle[0] < door.high[0]
            assert not (beside_door and middle[2] < 2.0 and surface.height > 1.0)


def test_the_sections_are_those_of_the_issue():
    assert set(SECTIONS) == {"relocalization", "tracking", "stress", "reliability", "node"}
