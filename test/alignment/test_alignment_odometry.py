"""The map frame out of odometry that drifts, slips, pauses and starts anew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from strategies import similarities
from walks import BASE_FROM_CAM, HANGING, drive, errors, poses_of, reconstructed, similarity

from campose_core.alignment.solvers.odometry import MovedCamera, align_to_odometry, at_start
from campose_core.errors import AlignmentError
from campose_core.geometry import Pose
from campose_core.simulation.drive import drifting_odometry
from campose_core.trajectory import Trajectory


def moved(sfm: Trajectory, odometry: Trajectory, mounting: Pose = BASE_FROM_CAM) -> MovedCamera:
    return MovedCamera(poses_of(sfm), poses_of(odometry.moved_by(mounting)))


@settings(max_examples=20)
@given(similarities, st.integers(0, 1000), st.sampled_from([BASE_FROM_CAM, HANGING]))
def test_true_odometry_gives_the_frame_it_started_in(map_from_sfm, seed, mounting):
    """Also where the camera hangs upside down: the mounting says so, the images do not matter."""
    base = drive(20, seed)
    truth = base.moved_by(mounting)
    sfm = reconstructed(truth, map_from_sfm, noise_m=0.0, noise_deg=0.0)
    found = align_to_odometry([moved(sfm, base, mounting)])
    off_m, off_deg = errors(found.map_from_sfm, sfm, truth)
    assert off_m < 1e-4
    assert off_deg < 1e-3
    assert found.residual.slipped == 0


@pytest.mark.parametrize("seed", range(8))
def test_drift_does_not_bend_the_map(seed):
    """Odometry ends metres away from the truth; what is left of that is the wrong size of its wheels (2 %)."""
    base = drive(90, seed)
    truth = base.moved_by(BASE_FROM_CAM)
    odometry = drifting_odometry(base, 0.02, seed)
    sfm = reconstructed(truth, similarity(seed), seed)
    found = align_to_odometry([moved(sfm, odometry)])
    off_m, off_deg = errors(found.map_from_sfm, sfm, truth)
    reach = float(np.sqrt(np.mean(np.sum(base.positions**2, axis=1))))
    assert off_m < 0.02 * reach + 0.02
    assert off_deg < 0.3
    by_hand = float(np.linalg.norm(odometry.positions[-1] - base.positions[-1]))
    assert by_hand > 2 * off_m
    assert found.residual.drift_m == pytest.approx(by_hand, abs=0.1 + 0.03 * reach)


@pytest.mark.parametrize("seed", range(4))
def test_slipping_wheels_lose_their_say(seed):
    base = drive(60, seed)
    truth = base.moved_by(BASE_FROM_CAM)
    sfm = reconstructed(truth, similarity(seed), seed)
    clean = drifting_odometry(base, 0.01, seed)
    # Three times the wheels turn for 2 s as if the robot went another 1.5 m, and then by mistake a quarter turn.
    positions, rotations = clean.positions.copy(), clean.rotations
    for second in (15, 30, 45):
        i = second * 5
        ramp = np.clip((np.arange(len(base)) - i) / 10, 0, 1)
        positions = positions + ramp[:, None] * 1.5 * rotations[i].apply([1.0, 0, 0])
    slipped = Trajectory(base.stamps_ns, positions, rotations, "odom", "base_link")
    found, without = (align_to_odometry([moved(sfm, odometry)]) for odometry in (slipped, clean))
    assert found.map_from_sfm.scale == pytest.approx(without.map_from_sfm.scale, rel=0.005)
    assert 3 <= found.residual.slipped - without.residual.slipped <= 20
    assert errors(found.map_from_sfm, sfm, truth)[0] < 0.08


def test_odometry_that_pauses_or_starts_anew_still_counts():
    base = drive(60, 3)
    truth = base.moved_by(BASE_FROM_CAM)
    sfm, odometry = reconstructed(truth, similarity(3), 3), drifting_odometry(base, 0.01, 3)
    kept = (np.arange(300) < 100) | (np.arange(300) > 160)
    paused = align_to_odometry([moved(sfm.select(kept), odometry.select(kept))])
    again = odometry.pose(150).inverse()
    anew = [pose if i < 150 else again * pose for i, (_, pose) in enumerate(odometry)]
    restarted = align_to_odometry([moved(sfm, Trajectory.from_poses(base.stamps_ns, anew, "odom", "base_link"))])
    for found in (paused, restarted):
        assert errors(found.map_from_sfm, sfm, truth)[0] < 0.08
        assert found.residual.slipped <= 2


def test_each_recording_has_an_odometry_frame_of_its_own_and_all_count_for_the_scale():
    map_from_sfm, first, second = similarity(5), drive(20, 5), drive(90, 6)
    elsewhere = Pose(Rotation.from_euler("z", 2.0), np.array([3.0, 1.0, 0.0]))
    truths = [base.moved_by(BASE_FROM_CAM) for base in (first, second)]
    moved_second = Trajectory.from_poses(second.stamps_ns, [elsewhere * pose for _, pose in truths[1]])
    sfm = [reconstructed(truths[0], map_from_sfm, 1), reconstructed(moved_second, map_from_sfm, 2)]
    odometry = [drifting_odometry(first, 0.005, 1), drifting_odometry(second, 0.005, 2)]
    both = align_to_odometry([moved(*pair) for pair in zip(sfm, odometry, strict=True)])
    alone = align_to_odometry([moved(sfm[0], odometry[0])])
    assert both.residual.segments > 3 * alone.residual.segments
    for part, truth in zip(sfm, (truths[0], moved_second), strict=True):
        assert errors(both.map_from_sfm, part, truth)[0] < 0.06


def test_a_tilted_mounting_is_found_out_by_the_path():
    """What /tf_static says is 2 degrees off; level is where the wheels roll as much as where the camera claims."""
    base, wrong = drive(60, 2), Pose(Rotation.from_euler("y", 2, degrees=True), np.zeros(3)) * BASE_FROM_CAM
    truth = base.moved_by(BASE_FROM_CAM)
    sfm = reconstructed(truth, similarity(2), 2)
    found = align_to_odometry([moved(sfm, base, wrong)])
    heights = found.map_from_sfm.transform(sfm.positions)[:, 2]
    assert np.std(heights) < 0.02
    assert found.residual.median_deg == pytest.approx(2.0, abs=0.3)


def test_what_gives_no_scale_is_refused():
    base = drive(30, 1)
    sfm = reconstructed(base.moved_by(BASE_FROM_CAM), similarity(1))
    standing = Trajectory(base.stamps_ns, np.zeros((len(base), 3)), base.rotations, "odom", "base_link")
    with pytest.raises(AlignmentError, match="moves less than 2 m"):
        align_to_odometry([moved(sfm, standing)])
    with pytest.raises(AlignmentError, match="moves otherwise than the camera"):
        align_to_odometry([moved(sfm, drive(30, 77, speed=0.5).select(np.arange(len(base))[::-1] >= 0), HANGING)])
    still = Trajectory(sfm.stamps_ns, np.zeros((len(sfm), 3)), sfm.rotations)
    with pytest.raises(AlignmentError, match="the camera does not"):
        align_to_odometry([moved(still, base)])


@pytest.mark.parametrize(("walk", "noise"), [(0.1, 1.0), (1.0, 1.0), (1.0, 0.05)])
def test_the_start_of_a_random_walk_is_estimated_better_than_by_its_first_value_or_its_mean(walk, noise):
    rng = np.random.default_rng(4)
    walks = [np.append(0.0, np.cumsum(rng.normal(0, walk, 99))) for _ in range(200)]
    values = [7.0 + one + rng.normal(0, noise, 100) for one in walks]

    def spread(estimates) -> float:
        return float(np.sqrt(np.mean((np.array(estimates) - 7.0) ** 2)))

    by_first, by_mean = spread([one[0] for one in values]), spread([one.mean() for one in values])
    found = spread([at_start(one) for one in values])
    assert found < 1.1 * min(by_first, by_mean) + 0.03 * walk


def test_constant_values_are_averaged_and_spikes_and_jumps_do_not_reach_the_start():
    rng = np.random.default_rng(5)
    values = 7.0 + rng.normal(0, 0.1, 200)
    assert at_start(values) == pytest.approx(7.0, abs=0.03)
    values[0] += 50.0
    values[80:] += 5.0
    assert at_start(values) == pytest.approx(7.0, abs=0.05)
    assert at_start(np.array([3.0, 4.0])) == 3.0
