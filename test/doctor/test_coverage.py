"""What a landmark map covers: forecasts for cameras in two rooms of landmarks."""

import numpy as np
import pytest
from landmark_rooms import CAMERA
from scipy.spatial.transform import Rotation
from two_rooms import drive, floor_map, look, mapped, spin

from campose_core.camera import Camera
from campose_core.doctor.coverage import AT_WALL, FOUND, LOST, Forecast, cover, level_cameras, widest_angle
from campose_core.doctor.coverage_gaps import NOWHERE, gaps, one_sided
from campose_core.doctor.lines_of_sight import LinesOfSight
from campose_core.doctor.passages import passages_of, rooms_of
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.walkable import WalkableMap

EAST, NORTH, WEST, SOUTH = 0, 2, 4, 6  # rows of HEADINGS
BOTH_ROOMS = [
    *spin(2.5, 2.0),
    *drive(np.arange(3.0, 7.5, 0.25), 0),
    *spin(7.5, 2.0),
    *drive(np.arange(7.0, 2.8, -0.25), 180),
]
EAST_ONLY = [*spin(2.5, 2.0), *drive(np.arange(3.0, 9.5, 0.25), 0)]


@pytest.fixture(scope="module")
def walkable() -> WalkableMap:
    return WalkableMap.from_floor(floor_map())


def forecast_of(landmarks: Landmarks, floor: bool = True) -> Forecast:
    return Forecast(landmarks, CAMERA, LinesOfSight(floor_map(), landmarks) if floor else None)


def level_at(forecast: Forecast, x: float, y: float, yaw_deg: float) -> int:
    pose = look(x, y, yaw_deg)
    return int(forecast.level(pose.translation, Rotation.concatenate([pose.rotation]))[1][0])


def test_a_keyframe_of_the_map_would_be_found_with_about_as_many_landmarks_as_it_saw():
    landmarks = mapped(BOTH_ROOMS)
    forecast = forecast_of(landmarks)
    seen = np.bincount(landmarks.observed_by)
    for row in (3, 30, 55):
        rotation = Rotation.from_quat(landmarks.frame_quats_xyzw[[row]])
        expected = forecast.found(landmarks.frame_positions[row], rotation)[0][0]
        assert expected == pytest.approx(seen[row], rel=0.25)


def test_a_wall_seen_from_one_side_does_not_help_on_the_other():
    forecast = forecast_of(mapped(drive(np.arange(1.0, 4.0, 0.1), 0)), floor=False)
    assert level_at(forecast, 2.5, 2.0, 0) == FOUND
    assert level_at(forecast, 8.0, 2.0, 180) == LOST  # the same wall, from behind


def test_what_lies_behind_a_wall_of_the_floor_map_does_not_count():
    landmarks = mapped(spin(7.5, 2.0))
    in_room_a, towards_b = look(4.0, 3.4, 0).translation, level_cameras(landmarks, 0)
    assert forecast_of(landmarks, floor=False).found(in_room_a, towards_b)[0] > 5
    assert forecast_of(landmarks).found(in_room_a, towards_b)[0] == 0


def test_landmarks_seen_across_furniture_are_not_hidden_by_it():
    landmarks = mapped(spin(2.5, 2.0))
    table = floor_map()
    occupancy = table.occupancy.copy()
    rows, columns = (slice(c - 6, c + 6) for c in table.cell_of([1.2, 2.0]))
    occupancy[rows, columns] = 100
    with_table = type(table)(occupancy, table.resolution, table.origin)
    sight = LinesOfSight(with_table, landmarks)
    assert with_table.occupied[rows, columns].all()
    assert not sight.walls[rows, columns].any()
    assert sight.walls.sum() > 0.5 * table.occupied.sum()  # the walls themselves stand


def test_from_far_nearer_or_farther_than_ever_seen_landmarks_fade():
    close = mapped([look(8.9, y, 0) for y in np.arange(1.0, 3.0, 0.1)])  # 1.3 m from the east wall
    forecast = forecast_of(close, floor=False)
    numbers = [forecast.found(look(x, 2.0, 0).translation, level_cameras(close, 0))[0][0] for x in (8.9, 7.5, 4.0)]
    assert numbers[0] > numbers[1] > numbers[2] == 0


def test_rooms_and_the_door_between_are_found(walkable):
    rooms = rooms_of(walkable)
    (passage,) = passages_of(walkable, rooms)
    assert passage.place == pytest.approx([5.1, 1.95], abs=0.1)
    assert abs(np.sin(passage.heading)) < 0.1
    assert passage.width_m == pytest.approx(0.9, abs=0.1)
    inside = [int(rooms[tuple(walkable.floor.cell_of(xy))]) for xy in ([2.0, 2.0], [8.0, 2.0])]
    assert set(inside) == set(passage.rooms)
    assert np.array_equal(rooms > 0, walkable.walkable)


def test_a_door_driven_through_one_way_is_named_with_the_other_way(walkable):
    passages = passages_of(walkable, rooms_of(walkable))
    landmarks = mapped(EAST_ONLY)
    (found,) = one_sided(passages, forecast_of(landmarks), landmarks)
    assert np.cos(found.heading) < -0.99  # westwards
    both = mapped(BOTH_ROOMS)
    assert one_sided(passages, forecast_of(both), both) == []


def test_a_heading_never_seen_is_a_gap_of_its_room(walkable):
    landmarks = mapped(EAST_ONLY)
    coverage = cover(forecast_of(landmarks), landmarks, walkable)
    found = gaps(coverage, landmarks, walkable.floor, rooms_of(walkable))
    largest = found[0]
    assert WEST in largest.headings
    assert EAST not in largest.headings
    assert (largest.places[:, 0] > 5.2).all()  # room B; A was seen all around
    assert not largest.looked
    everything = mapped(BOTH_ROOMS)
    whole = cover(forecast_of(everything), everything, walkable)
    assert whole.share(FOUND) > coverage.share(FOUND) + 0.15


def test_a_room_where_nobody_was_is_lost_in_all_directions(walkable):
    landmarks = mapped(spin(2.5, 2.0, 40))
    coverage = cover(forecast_of(landmarks), landmarks, walkable)
    found = gaps(coverage, landmarks, walkable.floor, rooms_of(walkable))
    assert len(found[0].headings) >= NOWHERE
    assert found[0].middle[0] > 5.2
    in_a = coverage.places[:, 0] < 4.5
    assert np.mean(coverage.level[in_a] == LOST) < 0.2


def test_a_camera_right_before_a_wall_tells_nothing(walkable):
    landmarks = mapped(spin(2.5, 2.0))
    coverage = cover(forecast_of(landmarks), landmarks, walkable)
    south_edge = np.isclose(coverage.places[:, 1], coverage.places[:, 1].min()) & (coverage.places[:, 0] > 6)
    assert (coverage.level[south_edge, SOUTH] == AT_WALL).all()
    in_the_open = (np.abs(coverage.places[:, 1] - 2.0) < 0.3) & (np.abs(coverage.places[:, 0] - 5.1) > 0.5)
    assert in_the_open.sum() > 10
    assert not (coverage.level[in_the_open, NORTH] == AT_WALL).any()


def test_without_a_floor_map_the_surroundings_of_the_path_are_looked_at():
    landmarks = mapped(EAST_ONLY)
    coverage = cover(forecast_of(landmarks, floor=False), landmarks, None)
    apart = np.linalg.norm(coverage.places[:, None] - landmarks.frame_positions[None, :, :2], axis=2).min(axis=1)
    assert len(coverage.places) > 20
    assert apart.max() <= 1.0


def test_a_large_floor_gets_a_coarser_grid_of_bounded_size():
    landmarks = mapped(spin(2.5, 2.0, 12), per_m2=8)
    hall = WalkableMap.from_floor(type(floor_map())(np.zeros((300, 400), np.int8), 0.2, (-30.0, -30.0, 0.0)))
    coverage = cover(Forecast(landmarks, CAMERA, None), landmarks, hall)
    assert 400 < len(coverage.places) <= 800
    assert coverage.step_m > 0.5


def test_the_widest_angle_is_that_of_the_pictures_corner():
    corner = np.arctan(np.hypot(320 / 400, 240 / 400))
    assert widest_angle(CAMERA) == pytest.approx(corner, abs=np.radians(1.5))
    # This polynomial folds back at 60 degrees: rays beyond must not appear in the image again.
    folding = Camera("SIMPLE_RADIAL", 640, 480, (300.0, 319.5, 239.5, -0.1))
    assert widest_angle(folding) < np.radians(75)
