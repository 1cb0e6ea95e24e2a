"""Which loops are believed: those that the images around them confirm."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.joining.loop_proof import drop_loops, drop_unproven
from campose_core.landmark_map.colmap import load_pycolmap

COUNT, ROUND, POINTS, FOCAL = 36, 24, 60, 500.0
NAMES = [f"walk/{i:06d}.jpg" for i in range(COUNT)]


def turning_camera(index: int) -> tuple[Rotation, np.ndarray]:
    """Round a circle, and round again: keyframe i + ROUND stands nearly where keyframe i did."""
    angle = 2 * np.pi * index / ROUND
    rotation = Rotation.from_euler("y", angle)
    return rotation, np.array([0.3 * index / COUNT, 0.02 * index, 0.0]) + rotation.apply([0.0, 0.0, 0.4])


class Walk:
    """A database in which every two images that look the same way have matches of points that both see."""

    def __init__(self, path, wrong):
        self.pycolmap = load_pycolmap()
        self.db = self.pycolmap.Database.open(str(path))
        camera = self.pycolmap.Camera(model="SIMPLE_PINHOLE", width=640, height=480, params=[FOCAL, 320, 240])
        camera_id = self.db.write_camera(camera)
        camera.camera_id = camera_id
        self.camera = camera
        rig = self.pycolmap.Rig(rig_id=1)
        rig.add_ref_sensor(camera.sensor_id)
        self.db.write_rig(rig)
        self.points = {}
        self.ids = [
            self.db.write_image(self.pycolmap.Image(name=name, camera_id=camera_id, image_id=i + 1), use_image_id=True)
            for i, name in enumerate(NAMES)
        ]
        self.pixels = {i: [] for i in range(COUNT)}
        pairs = [(i, i + k) for k in (1, 2) for i in range(COUNT - k)]
        self.loops = [(i, j) for i in range(COUNT) for j in range(i + ROUND - 1, COUNT) if j <= i + ROUND + 1]
        found = {pair: self.seen_by(*pair) for pair in (*pairs, *self.loops)}
        found |= {pair: self.seen_by(pair[0], pair[1], turned=turned) for pair, turned in wrong.items()}
        for i in range(COUNT):
            self.db.write_keypoints(self.ids[i], np.array(self.pixels[i], dtype=np.float32).reshape(-1, 2))
        for (i, j), rows in found.items():
            geometry = self.pycolmap.estimate_calibrated_two_view_geometry(
                camera, np.array(self.pixels[i]), camera, np.array(self.pixels[j]), rows
            )
            assert len(geometry.inlier_matches) > 30
            self.db.write_two_view_geometry(self.ids[i], self.ids[j], geometry)

    def seen_by(self, i, j, turned=0.0):
        """Pixels of random points that images i and j see, as if j were turned besides."""
        generator = np.random.default_rng(100 * i + j)
        rotation, centre = turning_camera(i)
        other, place = turning_camera(j)
        other = other * Rotation.from_euler("xz", [turned, turned], degrees=True)
        if turned:
            other, place = (
                rotation * Rotation.from_euler("xz", [turned, turned], degrees=True),
                centre + np.array([0.3, 0, 0]),
            )
        rows = []
        while len(rows) < POINTS:
            ahead = (rotation.apply([0.0, 0.0, 1.0]) + other.apply([0.0, 0.0, 1.0])) / 2
            point = centre + generator.uniform(2, 6) * (ahead + generator.uniform(-0.5, 0.5, 3))
            seen = [r.inv().apply(point - c) for r, c in ((rotation, centre), (other, place))]
            if min(s[2] for s in seen) < 0.5:
                continue
            pixels = [FOCAL * s[:2] / s[2] + [320, 240] for s in seen]
            if all((p > 0).all() and (p < [640, 480]).all() for p in pixels):
                for image, pixel in zip((i, j), pixels, strict=True):
                    self.pixels[image].append(pixel)
                rows.append((len(self.pixels[i]) - 1, len(self.pixels[j]) - 1))
        return np.array(rows, dtype=np.uint32)

    def verified(self):
        pair_ids, _ = self.db.read_two_view_geometries()
        return {tuple(sorted(k - 1 for k in self.pycolmap.pair_id_to_image_pair(pair_id))) for pair_id in pair_ids}


@pytest.fixture
def walk(tmp_path):
    opened = []

    def make(wrong):
        opened.append(Walk(tmp_path / "database.db", wrong))
        return opened[-1]

    yield make
    for one in opened:
        one.db.close()


def test_loops_that_agree_stay(walk):
    twice_round = walk({})
    before = twice_round.verified()
    assert drop_unproven(twice_round.db, [NAMES]) == []
    assert twice_round.verified() == before


def test_a_pair_that_its_neighbours_contradict_goes_and_is_named(walk):
    wrong = (2, 15)
    twice_round = walk({wrong: 40.0})
    before = twice_round.verified()
    (line,) = drop_unproven(twice_round.db, [NAMES])
    assert NAMES[2] in line
    assert NAMES[15] in line
    assert twice_round.verified() == before - {wrong}


def test_neighbours_in_time_are_not_in_question(walk):
    twice_round = walk({(4, 7): 30.0})
    assert drop_unproven(twice_round.db, [NAMES]) == []
    assert (4, 7) in twice_round.verified()


def test_without_loops_neighbours_in_time_stay(walk):
    twice_round = walk({})
    before = twice_round.verified()
    drop_loops(twice_round.db, [NAMES])
    assert twice_round.verified() == before - {*twice_round.loops}
