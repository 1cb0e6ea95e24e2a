"""A street that its images bend, and a trajectory that shows it; and trajectories that images know better than."""

import numpy as np
import pytest
from bent_streets import bent_model, street_poses
from posed_models import OWN, reconstructed, room
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.geometry import Pose
from campose_core.joining.bend import noise_along
from campose_core.joining.straightening import Straightened, straightened
from campose_core.landmark_map.colmap import load_pycolmap, model_poses
from campose_core.simulation.drive import BASE_FROM_CAM

STREET = np.array([pose.translation for pose in street_poses()])


def put_straight(folder, model, positions, guessed=False):
    """What the stage says, and the poses of the model that it wrote."""
    (folder / "model").mkdir()
    (folder / "out").mkdir()
    model.write(folder / "model")
    named = {f"walk/{number:06d}.jpg": list(map(float, xyz)) for number, xyz in enumerate(positions, start=1)}
    said = straightened(
        model=str(folder / "model"), positions=named, sigma=0.05, switches=[], guessed=guessed, out=str(folder / "out")
    )
    written = folder / "out" if any((folder / "out").iterdir()) else folder / "model"
    poses = model_poses(load_pycolmap().Reconstruction(str(written)))
    return Straightened(**said), [poses[name] for name in sorted(poses)]


def off_m(poses, positions):
    return np.linalg.norm(np.array([pose.translation for pose in poses]) - positions, axis=1)


def test_a_bent_street_is_put_straight_also_where_some_positions_are_wild(tmp_path):
    reference = STREET.copy()
    reference[::9] += np.random.default_rng(0).normal(0, 8.0, reference[::9].shape)
    said, poses = put_straight(tmp_path, bent_model(bend_m=2.0), reference)
    assert said.before > 0.5
    assert said.helps
    assert off_m(poses, STREET).max() < 0.1


def test_noisy_positions_tell_what_images_of_a_lens_that_is_not_as_modelled_tell_wrongly(tmp_path):
    """Its centre is 17 pixels aside. Images tell what is between neighbours, positions the rest."""
    noisy = STREET + np.random.default_rng(1).normal(0.0, 0.3, STREET.shape)
    said, poses = put_straight(tmp_path, bent_model(bend_m=2.0, count=5000, aside_px=(14.0, -9.0)), noisy)
    assert said.helps
    assert np.median(off_m(poses, STREET)) < 0.17
    assert off_m(poses, STREET).max() < 0.45


def test_images_that_contradict_the_reference_keep_their_map(tmp_path):
    reference = STREET.copy()
    reference[30:] += [0.0, 20.0, 0.0]  # it has leapt, the street has not
    said, _ = put_straight(tmp_path, bent_model(bend_m=0.0), reference)
    assert not said.helps


def test_a_few_positions_tell_no_bend(tmp_path):
    said, _ = put_straight(tmp_path, bent_model(bend_m=2.0), STREET[:5])
    assert not said.helps


def test_a_reference_that_drifts_in_a_room_does_not_bend_it(tmp_path):
    angles = np.linspace(0.0, 4.0 * np.pi, 60)
    walked = [
        Pose(Rotation.from_euler("z", 1.7 * angle), [3.0 + np.cos(angle), 2.5 + np.sin(angle), 1.2]) * BASE_FROM_CAM
        for angle in angles
    ]
    truth = np.array([pose.translation for pose in walked])
    drifting = truth + 0.15 * np.sin(0.7 * angles)[:, None] * [1.0, -1.0, 0.0]
    said, poses = put_straight(tmp_path, reconstructed(walked, room()), drifting)
    assert said.held_px < 1.05 * said.free_px
    lengths = [
        np.linalg.norm(np.diff(path[::12], axis=0), axis=1)
        for path in (truth, np.array([p.translation for p in poses]))
    ]
    assert np.allclose(lengths[0], lengths[1], rtol=0.03)


@pytest.mark.parametrize("guessed", [True, False])
def test_only_the_centre_of_a_guessed_lens_is_open(tmp_path, guessed):
    generator = np.random.default_rng(3)
    xyz = STREET[generator.integers(0, len(STREET), 1500)] + generator.uniform(-9.0, 9.0, (1500, 3))
    model = reconstructed(street_poses(), xyz, aside_px=(14.0, -9.0))
    said, _ = put_straight(tmp_path, model, STREET, guessed)
    moved = np.subtract(Camera.from_dict(said.cameras["walk"]).centre, OWN.centre)
    assert moved == pytest.approx([14.0, -9.0] if guessed else [0.0, 0.0], abs=2.0)


@pytest.mark.parametrize("sigma", [0.0, 0.02, 0.5])
def test_noise_is_told_from_a_bend(sigma):
    generator, along = np.random.default_rng(0), np.linspace(0.0, 1.0, 300)[:, None]
    offsets = 3.0 * along**2 * [1.0, 0.5, 0.0] + generator.normal(0, sigma, (300, 3))
    offsets[[20, 150, 299]] += 10.0
    noise, wild = noise_along(offsets, 0.05)
    assert noise == pytest.approx(sigma, rel=0.2, abs=1e-3)
    assert np.flatnonzero(wild).tolist() == [20, 150, 299]
