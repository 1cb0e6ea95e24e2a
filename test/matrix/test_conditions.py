"""What conditions promise: nothing at severity 0, the same by the same seed, worse the more, and a truth that holds."""

import numpy as np
import pytest

from campose_core.camera import Camera
from campose_core.errors import UsageError
from campose_core.frame import Frame
from campose_core.geometry import Pose
from campose_core.matrix.conditions.light import FULL_WELL, MOST_GAIN_STOPS, NIGHT_STOPS, fog, image_of, light_of
from campose_core.matrix.conditions.table import CONDITIONS, MOST_DROPPED, Condition
from campose_core.matrix.conditions.world import RenderedPlace, turned_truth
from campose_core.simulation.building import build_world
from campose_core.simulation.distances import distances
from campose_core.simulation.render import FAR
from campose_core.simulation.world import Surface, World
from campose_core.trajectory import Trajectory

CAMERA = Camera("PINHOLE", 96, 72, (60.0, 60.0, 47.3, 35.9))
IN_IMAGE = [name for name, kind in CONDITIONS.items() if not kind.in_world and name not in ("dropped", "zoom")]


def shots(count: int = 4) -> list[tuple[Frame, Camera]]:
    """Pictures with detail at every scale, a third of a second apart."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(20, 235, (count, 9, 12, 3))
    images = np.clip(coarse.repeat(8, axis=1).repeat(8, axis=2) + rng.integers(-20, 20, (count, 72, 96, 3)), 0, 255)
    return [(Frame(n * 333_000_000, image.astype(np.uint8), "c", str(n)), CAMERA) for n, image in enumerate(images)]


def under(name: str, severity: float, seed: int = 0) -> np.ndarray:
    return np.array([frame.image for frame, _ in Condition(name, severity).of(shots(), seed)])


@pytest.mark.parametrize("name", CONDITIONS)
def test_severity_zero_is_the_recording_itself(name):
    given = shots()
    assert Condition(name, 0.0).of(given, 0) is given


@pytest.mark.parametrize("name", IN_IMAGE)
def test_a_seed_gives_the_same_images_and_another_one_others_where_chance_is_in_it(name):
    once = under(name, 0.6)
    assert once.shape == (4, 72, 96, 3)
    assert once.dtype == np.uint8
    assert (once == under(name, 0.6)).all()
    assert (once == under(name, 0.6, seed=1)).all() != CONDITIONS[name].by_chance


@pytest.mark.parametrize("name", IN_IMAGE)
def test_images_are_worse_the_more_there_is_of_it(name):
    before = np.array([frame.image for frame, _ in shots()], dtype=float)
    errors = [np.abs(under(name, severity) - before).mean() for severity in (0.1, 0.5, 1.0)]
    assert errors[0] < errors[1] < errors[2]


def test_night_has_the_noise_of_its_electrons():
    grey = image_of(np.full((200, 200, 3), 0.2, dtype=np.float32))
    [(frame, _)] = Condition("night", 0.5).of(
        [(Frame(0, grey, "c", "0"), Camera("PINHOLE", 200, 200, CAMERA.params))], 0
    )
    stops = NIGHT_STOPS / 2
    assert stops <= MOST_GAIN_STOPS, "brought back to the light it had"
    light = light_of(frame.image)
    electrons = 0.2 * FULL_WELL * 2**-stops
    assert light.mean() == pytest.approx(0.2, rel=0.02)
    assert light.std() == pytest.approx(0.2 * np.sqrt(electrons + 9) / electrons, rel=0.05)


def test_dropped_images_are_a_share_by_chance_and_the_others_come_as_they_are():
    given = shots(1) * 2000
    left = list(Condition("dropped", 0.5).of(given, 3))
    assert len(left) / 2000 == pytest.approx(1 - MOST_DROPPED / 2, abs=0.04)
    assert all(shot is given[0] for shot in left)


@pytest.mark.parametrize("severity", [0.3, 0.7, 1.0])
def test_people_cover_what_they_are_said_to(severity):
    black = np.zeros((72, 96, 3), dtype=np.uint8)
    for stamp_ns in (0, 10**9, 17 * 10**8):
        [(frame, _)] = Condition("people", severity).of([(Frame(stamp_ns, black, "c", "0"), CAMERA)], 0)
        covered = frame.image.any(axis=-1).mean()
        assert 0.85 * severity - 0.02 < covered < 1


def test_another_focal_length_shows_each_ray_where_its_intrinsics_say():
    rows, columns = np.mgrid[:72, :96]
    position = np.stack([columns, 2 * rows, 0 * rows], axis=-1).astype(np.uint8)
    [(frame, lens)] = Condition("zoom", 1.0).of([(Frame(0, position, "c", "0"), CAMERA)], 0)
    assert lens.focal == pytest.approx((120.0, 120.0))
    pixels = np.array([[20.0, 30.0], [48.0, 36.0], [80.0, 60.0]])
    source = lens.rays(pixels) * CAMERA.focal + CAMERA.centre
    shown = frame.image[pixels[:, 1].astype(int), pixels[:, 0].astype(int), :2] / (1, 2)
    assert np.abs(shown - source).max() < 0.8  # of whole grey levels


def test_fog_leaves_what_is_near_and_takes_what_is_far():
    image = shots(1)[0][0].image
    assert (fog(image, np.zeros(image.shape[:2]), 1.0) == image).all()
    assert fog(image, np.full(image.shape[:2], 100.0), 1.0).std() < 1


def test_distances_are_those_of_the_surfaces():
    wall = Surface((3.0, 1.0, 2.0), (0.0, -2.0, 0.0), (0.0, 0.0, -2.0), "plaster", 0)
    world = World("small", 0, (), (), (), (wall,))
    ahead = Pose.from_matrix(np.array([[0, 0, 1, 0.5], [-1, 0, 0, 0], [0, -1, 0, 1.0], [0, 0, 0, 1]], dtype=float))
    found = distances(world, CAMERA, ahead)
    rows, columns = np.mgrid[:72, :96]
    x, y = (columns - 47.3) / 60, (rows - 35.9) / 60
    on_wall = (np.abs(2.5 * x) < 1) & (np.abs(2.5 * y) < 1)
    scale = np.sqrt(1 + x * x + y * y)
    assert on_wall.mean() > 0.3
    assert found[on_wall] == pytest.approx(2.5 * scale[on_wall], rel=1e-5)
    assert found[~on_wall] == pytest.approx(FAR * scale[~on_wall], rel=1e-5)


def test_looking_back_turns_about_the_vertical_where_the_camera_is():
    ahead = Pose.from_matrix(np.array([[0, 0, 1, 0.5], [-1, 0, 0, 0], [0, -1, 0, 1.0], [0, 0, 0, 1]], dtype=float))
    truth = Trajectory.from_poses([0, 10], [ahead, ahead])
    back = Condition("looking-back", 1.0).truth(truth).pose(0)
    assert back.translation == pytest.approx(ahead.translation)
    assert back.rotation.apply([0, 0, 1]) == pytest.approx(-ahead.rotation.apply([0, 0, 1]))
    assert back.rotation.apply([0, 1, 0]) == pytest.approx(ahead.rotation.apply([0, 1, 0]))
    aside = turned_truth(truth, 0.5).pose(0)
    assert aside.rotation.apply([0, 0, 1]) @ ahead.rotation.apply([0, 0, 1]) == pytest.approx(0, abs=1e-9)
    assert Condition("night", 1.0).truth(truth) is truth


def test_worlds_are_only_seen_from_known_places():
    place = RenderedPlace(build_world("small", 0), Trajectory.from_poses([0], [Pose.identity()]))
    assert [frame.stamp_ns for frame, _ in Condition("fog", 0.5).of(shots(), 0, place)] == [0]


@pytest.mark.parametrize(
    ("name", "severity"), [("snow", 0.5), ("night", 1.5), ("night", -0.1), ("night", float("nan"))]
)
def test_what_is_no_condition_is_refused_by_name(name, severity):
    with pytest.raises(UsageError, match=name):
        Condition(name, severity)
