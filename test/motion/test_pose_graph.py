"""A fixed-lag smoother: what it answers, whom it believes, and how sure it is."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scipy.stats import chi2
from strategies import poses, vectors

from campose_core.errors import GeometryError, LocalizationError
from campose_core.geometry import Array, Pose, pose_error
from campose_core.motion.model import UncertainPose
from campose_core.motion.pose_chain import Bounds, Chain, Errors, Poses, errors_of, normal_equations
from campose_core.motion.pose_graph import PoseGraph, PoseGraphOptions

STEP_NS = 100_000_000
CENTIMETRES = np.diag([0.01**2] * 3 + [0.01**2] * 3)
WHEELS = np.diag([0.005**2] * 3 + [0.005**2] * 3)
SLIGHTLY = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def drive(count: int) -> list[Pose]:
    """Round a bend, 7 cm and 2 degrees a step."""
    step = Pose(Rotation.from_rotvec([0.0, 0.0, np.radians(2)]), np.array([0.07, 0.0, 0.0]))
    path = [Pose(Rotation.from_euler("z", 30, degrees=True), np.array([3.0, 4.0, 0.5]))]
    for _ in range(count - 1):
        path.append(path[-1] * step)
    return path


def disturbed(pose: Pose, noise: Array) -> Pose:
    return Pose(Rotation.from_rotvec(noise[3:]) * pose.rotation, pose.translation + noise[:3])


def difference(truth: Pose, estimate: Pose) -> Array:
    turn = (truth.rotation * estimate.rotation.inv()).as_rotvec()
    return np.concatenate([truth.translation - estimate.translation, turn])


def drawn(rng: np.random.Generator, covariance: Array) -> Array:
    return np.linalg.cholesky(covariance) @ rng.standard_normal(6)


def motions(path: list[Pose], rng: np.random.Generator | None = None) -> list[UncertainPose | None]:
    moved: list[UncertainPose | None] = [None]
    for before, after in pairwise(path):
        step = before.inverse() * after
        moved.append(UncertainPose(step if rng is None else disturbed(step, drawn(rng, WHEELS)), WHEELS))
    return moved


def noisy(path: list[Pose], covariance: Array, rng: np.random.Generator) -> list[UncertainPose | None]:
    return [UncertainPose(disturbed(pose, drawn(rng, covariance)), covariance) for pose in path]


def answers(
    seen: list[UncertainPose | None], moved: list[UncertainPose | None], options: PoseGraphOptions | None = None
) -> list[UncertainPose]:
    graph = PoseGraph(options)
    found = [graph.add((i + 1) * STEP_NS, *both) for i, both in enumerate(zip(seen, moved, strict=True))]
    assert all(answer is not None for answer in found)
    return [answer for answer in found if answer is not None]


@settings(max_examples=20, deadline=None)
@given(st.lists(poses, min_size=2, max_size=8))
def test_what_is_exact_stays_exact(path: list[Pose]) -> None:
    found = answers([UncertainPose(pose, CENTIMETRES) for pose in path], motions(path), PoseGraphOptions(window=4))
    for answer, truth in zip(found, path, strict=True):
        assert pose_error(answer.pose, truth) == pytest.approx((0.0, 0.0), abs=1e-6)


@settings(max_examples=10, deadline=None)
@given(poses, SLIGHTLY)
def test_the_answer_moves_with_the_map(other_from_map: Pose, rng: np.random.Generator) -> None:
    path = drive(12)
    # Wilder sideways than along: the covariance has to turn with the map.
    covariance = np.diag([0.02, 0.3, 0.05, 0.02, 0.04, 0.1]) ** 2
    seen, moved = noisy(path, covariance, rng), motions(path, rng)
    turn = np.kron(np.eye(2), other_from_map.rotation.as_matrix())
    elsewhere: list[UncertainPose | None] = [
        UncertainPose(other_from_map * entry.pose, turn @ entry.covariance @ turn.T) for entry in seen if entry
    ]
    options = PoseGraphOptions(window=6)
    for here, there in zip(answers(seen, moved, options), answers(elsewhere, moved, options), strict=True):
        assert pose_error(other_from_map * here.pose, there.pose) == pytest.approx((0.0, 0.0), abs=1e-4)
        np.testing.assert_allclose(turn @ here.covariance @ turn.T, there.covariance, rtol=1e-2, atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(vectors.filter(lambda v: np.linalg.norm(v) > 1.0), st.floats(0.5, 3.0), st.integers(3, 24), SLIGHTLY)
def test_a_wild_estimate_moves_nothing(offset: Array, angle: float, when: int, rng: np.random.Generator) -> None:
    path = drive(28)
    seen, moved = noisy(path, CENTIMETRES, rng), motions(path, rng)
    without, wild = list(seen), list(seen)
    turn = Rotation.from_rotvec(angle * offset / np.linalg.norm(offset))
    without[when] = None
    wild[when] = UncertainPose(Pose(turn * path[when].rotation, path[when].translation + offset), CENTIMETRES)
    for quiet, shouted in zip(answers(without, moved), answers(wild, moved), strict=True):
        shift = difference(quiet.pose, shouted.pose)
        assert shift @ np.linalg.solve(quiet.covariance, shift) < 0.05**2  # a twentieth of a standard deviation


def test_wheels_that_slip_are_found_out_by_three_estimates_that_agree() -> None:
    rng = np.random.default_rng(0)
    path = drive(40)
    seen, moved = noisy(path, CENTIMETRES, rng), motions(path, rng)
    assert moved[20] is not None
    moved[20] = UncertainPose(moved[20].pose * Pose(Rotation.identity(), np.array([0.3, 0.0, 0.0])), WHEELS)
    distances = [pose_error(a.pose, truth)[0] for a, truth in zip(answers(seen, moved), path, strict=True)]
    assert distances[20] > 0.2
    assert max(distances[:20] + distances[22:]) < 0.04


def test_a_wild_first_estimate_is_outvoted() -> None:
    path = drive(12)
    seen, moved = noisy(path, CENTIMETRES, np.random.default_rng(1)), motions(path)
    seen[0] = UncertainPose(Pose(path[0].rotation, path[0].translation + np.array([2.0, -1.0, 0.0])), CENTIMETRES)
    found = answers(seen, moved)
    assert max(pose_error(a.pose, truth)[0] for a, truth in zip(found[2:], path[2:], strict=True)) < 0.04


def test_odometry_of_another_scale_leads_nowhere() -> None:
    path = drive(120)
    seen = noisy(path, CENTIMETRES, np.random.default_rng(2))
    longer = [m and UncertainPose(Pose(m.pose.rotation, 2.0 * m.pose.translation), WHEELS) for m in motions(path)]
    distances = [pose_error(a.pose, truth)[0] for a, truth in zip(answers(seen, longer), path, strict=True)]
    assert max(distances) < 0.07 * 9  # it is followed for distrusted_after steps at most


@pytest.mark.parametrize("window", [2, 10])
def test_the_covariance_tells_the_error(window: int) -> None:
    """Normalised squared errors of six dimensions have the mean 6 whatever has left the window."""
    path, options, squared, covariance = (
        drive(20),
        PoseGraphOptions(window=window),
        [],
        np.diag([0.1**2] * 3 + [0.05**2] * 3),
    )
    for seed in range(25):
        rng = np.random.default_rng(seed)
        last = answers(noisy(path, covariance, rng), motions(path, rng), options)[-1]
        error = difference(path[-1], last.pose)
        squared.append(error @ np.linalg.solve(last.covariance, error))
        assert np.all(np.diagonal(last.covariance) < np.diagonal(covariance))
    low, high = chi2.ppf([0.001, 0.999], 6 * len(squared)) / len(squared)  # of chi2 with six degrees each
    assert low < np.mean(squared) < high


def test_the_window_forgets_nothing() -> None:
    path = drive(30)
    rng = np.random.default_rng(3)
    seen, moved = noisy(path, CENTIMETRES, rng), motions(path, rng)
    short, long = (answers(seen, moved, PoseGraphOptions(window=window))[-1] for window in (8, 40))
    shift = difference(long.pose, short.pose)
    assert shift @ np.linalg.solve(long.covariance, shift) < 0.1**2
    np.testing.assert_allclose(short.covariance, long.covariance, rtol=0.02, atol=1e-8)


def test_without_estimates_it_is_carried_on_and_grows_unsure() -> None:
    path = drive(10)
    seen: list[UncertainPose | None] = [UncertainPose(path[0], CENTIMETRES)] + [None] * 9
    found = answers(seen, motions(path))
    assert pose_error(found[-1].pose, path[-1]) == pytest.approx((0.0, 0.0), abs=1e-9)
    variances = [np.trace(answer.covariance) for answer in found]
    assert all(np.diff(variances) > 0)


def test_a_chain_without_a_link_begins_anew() -> None:
    path = drive(3)
    here, there = UncertainPose(path[0], CENTIMETRES), UncertainPose(path[2], CENTIMETRES)
    moved = motions(path)[1]
    graph = PoseGraph()
    assert graph.add(1, None, moved) is None
    assert graph.add(2, here, moved) is not None
    assert graph.add(3, None, None) is None
    assert graph.add(4, None, moved) is None
    for stamp_ns, relative in ((5, moved), (6, None), (3, moved)):  # begun, cut, back in time
        answer = graph.add(stamp_ns, there, relative)
        assert answer is not None
        assert pose_error(answer.pose, there.pose) == (0.0, 0.0)
        np.testing.assert_allclose(answer.covariance, CENTIMETRES)


def test_who_stands_still_learns_nothing_new_from_a_network() -> None:
    pose = drive(1)[0]
    still = UncertainPose(Pose.identity(), WHEELS * 1e-4)
    seen = UncertainPose(pose, CENTIMETRES)
    sigmas = {}
    for correlation_m in (0.0, 1.0):
        graph = PoseGraph()
        for i in range(20):
            answer = graph.add(i + 1, seen, still if i else None, correlation_m)
        assert answer is not None
        sigmas[correlation_m] = np.sqrt(np.trace(answer.covariance) / np.trace(CENTIMETRES))
    assert sigmas[0.0] == pytest.approx(1 / np.sqrt(20), rel=0.02)
    assert sigmas[1.0] > 0.9


@settings(max_examples=15, deadline=None)
@given(poses, SLIGHTLY)
def test_derivatives_are_those_of_the_cost(map_from_there: Pose, rng: np.random.Generator) -> None:
    path = [map_from_there * disturbed(pose, 0.3 * rng.standard_normal(6)) for pose in drive(3)]
    chain = Chain.beginning(UncertainPose(path[0], CENTIMETRES))
    for before, after in pairwise(path):
        moved = disturbed(before.inverse() * after, 0.1 * rng.standard_normal(6))
        chain = chain.extended(UncertainPose(after, CENTIMETRES), UncertainPose(moved, WHEELS))
    chain = chain._replace(
        prior=chain.prior._replace(information=np.diag(rng.uniform(1, 9, 6)), vector=rng.standard_normal(6))
    )
    start = Poses(chain.seen.rotations, chain.seen.translations).disturbed(0.1 * rng.standard_normal(18))
    bounds = Bounds(20.0, 50.0)

    def errors_at(step: Array) -> Errors:
        return errors_of(chain, start.disturbed(step), bounds)

    _, gradient = normal_equations(chain, start, errors_at(np.zeros(18)))
    # The weights are those that make the weighted least squares have the gradient of the robust cost.
    numeric = [(errors_at(h).cost - errors_at(-h).cost) / 2e-6 for h in 1e-6 * np.eye(18)]
    np.testing.assert_allclose(2.0 * gradient, numeric, rtol=1e-3, atol=1e-3 * np.abs(gradient).max())


def test_what_is_no_covariance_is_refused() -> None:
    pose = drive(1)[0]
    graph = PoseGraph()
    for covariance in (np.full((6, 6), np.nan), np.zeros((6, 6)), -np.eye(6), np.eye(3), np.eye(6) + np.eye(6, k=1)):
        with pytest.raises(GeometryError, match="a covariance must be"):
            graph.add(1, UncertainPose(pose, covariance), None)
    with pytest.raises(LocalizationError, match="window must be at least 2"):
        PoseGraphOptions(window=1)
    with pytest.raises(LocalizationError, match="seen_bound must be positive"):
        PoseGraphOptions(seen_bound=float("nan"))
