"""The pose graph on the later drive of the demo world: what fusing gains, and what a step costs.

    python benchmarks/pose_graph.py

The drive and its drifting odometry are those of `campose simulate`; the estimates are drawn: like a network's
(decimetres, one in ten wild, independent or alike on the way), and like those from landmarks (millimetres). One table
compares answers; the other the same window solved by this package, by scipy.optimize.least_squares with the same
derivatives, and by GTSAM's smoothers, if it is installed (`pip install gtsam`).
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from campose_core.geometry import Array, Pose
from campose_core.motion import pose_chain
from campose_core.motion.model import MotionOptions, UncertainPose, odometry_motion
from campose_core.motion.pose_chain import Bounds, Chain, Poses, Solution
from campose_core.motion.pose_graph import PoseGraph, PoseGraphOptions
from campose_core.simulation.building import build_world
from campose_core.simulation.drive import drifting_odometry, drive
from campose_core.trajectory import Trajectory

OPTIONS = PoseGraphOptions()
BOUNDS = Bounds(OPTIONS.seen_bound, OPTIONS.moved_bound)
LENGTH_M = 1.0  # of the way on which a network's errors resemble each other

Maybe = UncertainPose | None
Answer = tuple[Pose, Array | None]


def estimates(truth: Trajectory, sigma_m: float, sigma_deg: float, wild: float, alike: bool, seed: int) -> list[Maybe]:
    rng, sigmas = np.random.default_rng(seed), np.array([sigma_m] * 3 + [np.radians(sigma_deg)] * 3)
    covariance, noise, seen = np.diag(sigmas**2), rng.standard_normal(6), []
    for i, (_, pose) in enumerate(truth):
        way = truth.pose(i - 1).inverse() * pose if i else Pose.identity()
        length_m = np.linalg.norm(way.translation) + way.rotation.magnitude()
        kept = np.exp(-length_m / LENGTH_M) if alike else 0.0
        noise = kept * noise + np.sqrt(1.0 - kept**2) * rng.standard_normal(6)
        error = sigmas * noise if rng.random() >= wild else rng.uniform(-1, 1, 6) * [6, 6, 2, 2, 2, 2]
        turned = Rotation.from_rotvec(error[3:]) * pose.rotation
        seen.append(UncertainPose(Pose(turned, pose.translation + error[:3]), covariance))
    return seen


def motions(odometry: Trajectory) -> list[Maybe]:
    poses = [pose for _, pose in odometry]
    steps = np.diff(odometry.stamps_ns) * 1e-9
    moved = [odometry_motion(s, *two, MotionOptions()) for s, two in zip(steps, pairwise(poses), strict=True)]
    return [None, *moved]


def by_graph(seen: list[Maybe], moved: list[Maybe], correlation_m: float = 0.0) -> tuple[list[Answer], Array]:
    graph, answers, spent = PoseGraph(), [], []
    for i, both in enumerate(zip(seen, moved, strict=True)):
        start = time.perf_counter()
        answer = graph.add(i + 1, *both, correlation_m)
        spent.append(time.perf_counter() - start)
        assert answer is not None
        answers.append((answer.pose, answer.covariance))
    return answers, np.array(spent)


def by_solver(
    seen: list[Maybe], moved: list[Maybe], solve: Callable[[Chain, Poses], Solution]
) -> tuple[list[Answer], Array]:
    """The window of PoseGraph, without its second thoughts, by any solver."""
    assert seen[0] is not None
    chain = Chain.beginning(seen[0])
    poses = Poses(chain.seen.rotations, chain.seen.translations)
    answers, spent = [(seen[0].pose, seen[0].covariance)], [0.0]
    for now, step in zip(seen[1:], moved[1:], strict=True):
        assert step is not None
        start = time.perf_counter()
        chain = chain.extended(now, step)
        solution = solve(chain, poses.moved_on(step.pose))
        answers.append((solution.poses.last(), solution.last_covariance()))
        poses = solution.poses
        if len(poses.translations) > OPTIONS.window:
            chain = pose_chain.without_first(chain, poses, solution.errors)
            poses = poses.part(slice(1, None))
        spent.append(time.perf_counter() - start)
    return answers, np.array(spent)


def scipy_solution(chain: Chain, start: Poses) -> Solution:
    """least_squares over the disturbance of `start`. Each error e is scaled to sqrt(rho(u) / u) e, whose square is the
    robust cost; its derivative treats the scale as the weight, as iteratively reweighted least squares does."""
    values, vectors = np.linalg.eigh(chain.prior.information)
    root = np.sqrt(np.maximum(values, 0.0))
    offset = np.divide(vectors.T @ chain.prior.vector, root, out=np.zeros(6), where=root > 1e-6)
    roots = [np.linalg.cholesky(i + 1e-300 * np.eye(6)).T for i in (*chain.seen.information, *chain.moved.information)]

    def parts(step: Array) -> tuple[Poses, pose_chain.Errors]:
        poses = start.disturbed(step)
        return poses, pose_chain.errors_of(chain, poses, BOUNDS)

    def residuals(step: Array) -> Array:
        _, errors = parts(step)
        white = np.einsum("nij,nj->ni", roots, np.concatenate([errors.seen, errors.moved]))
        bounds = np.repeat([BOUNDS.seen, BOUNDS.moved], [len(errors.seen), len(errors.moved)])
        u = np.maximum(np.einsum("ni,ni->n", white, white), 1e-12)
        rho = np.where(u <= bounds, u, bounds * (3 * u - bounds) / (u + bounds))
        prior = root * (vectors.T @ errors.prior) - offset
        return np.concatenate([(white * np.sqrt(rho / u)[:, None]).ravel(), prior])

    def jacobian(step: Array) -> Array:
        poses, errors = parts(step)
        n = len(errors.seen)
        at_seen, before, after, at_prior = pose_chain.derivatives(poses, errors)
        rows = np.zeros((12 * n, 6 * n))
        scale = np.sqrt(np.concatenate([errors.seen_weights, errors.moved_weights]))
        for i in range(n):
            rows[6 * i : 6 * i + 6, 6 * i : 6 * i + 6] = scale[i] * roots[i] @ at_seen[i]
        for i in range(n - 1):
            at = slice(6 * (n + i), 6 * (n + i) + 6)
            rows[at, 6 * i : 6 * i + 6] = scale[n + i] * roots[n + i] @ before[i]
            rows[at, 6 * i + 6 : 6 * i + 12] = scale[n + i] * roots[n + i] @ after[i]
        rows[-6:, :6] = root[:, None] * vectors.T @ at_prior
        return rows

    found = least_squares(residuals, np.zeros(6 * len(start.translations)), jacobian, method="lm", xtol=1e-6, ftol=1e-6)
    poses, errors = parts(found.x)
    h, _ = pose_chain.normal_equations(chain, poses, errors)
    return Solution(poses, errors, np.linalg.cholesky(h))


def by_gtsam(seen: list[Maybe], moved: list[Maybe], incremental: bool) -> tuple[list[Answer], Array]:
    """BatchFixedLagSmoother (Levenberg-Marquardt) or IncrementalFixedLagSmoother (iSAM2). Its pose covariance is over
    (rotation, translation) in the axes of the body."""
    import gtsam

    def noise(covariance: Array, rotation: Rotation, bound: float) -> Any:
        turn = np.kron(np.eye(2), rotation.as_matrix().T)
        body = (turn @ covariance @ turn.T)[np.ix_([3, 4, 5, 0, 1, 2], [3, 4, 5, 0, 1, 2])]
        gaussian = gtsam.noiseModel.Gaussian.Covariance(body)
        return gtsam.noiseModel.Robust.Create(gtsam.noiseModel.mEstimator.DCS.Create(bound), gaussian)

    smoother = (gtsam.IncrementalFixedLagSmoother if incremental else gtsam.BatchFixedLagSmoother)(OPTIONS.window - 0.5)
    answers: list[Answer] = []
    spent = []
    last = gtsam.Pose3()
    for i, (now, step) in enumerate(zip(seen, moved, strict=True)):
        start = time.perf_counter()
        graph, values, stamps = gtsam.NonlinearFactorGraph(), gtsam.Values(), {i: float(i)}
        if step is not None:
            delta = gtsam.Pose3(step.pose.matrix())
            graph.add(
                gtsam.BetweenFactorPose3(i - 1, i, delta, noise(step.covariance, step.pose.rotation, BOUNDS.moved))
            )
            last = last.compose(delta)
        if now is not None:
            pose = gtsam.Pose3(now.pose.matrix())
            graph.add(gtsam.PriorFactorPose3(i, pose, noise(now.covariance, now.pose.rotation, BOUNDS.seen)))
            last = pose if i == 0 else last
        values.insert(i, last)
        smoother.update(graph, values, stamps)
        last = smoother.calculateEstimatePose3(i) if incremental else smoother.calculateEstimate().atPose3(i)
        spent.append(time.perf_counter() - start)
        answers.append((Pose.from_matrix(last.matrix()), None))
    return answers, np.array(spent)


def line(name: str, truth: Trajectory, answers: list[Answer], spent: Array | None) -> str:
    errors = np.array(
        [
            [*(pose.translation - found.translation), *(pose.rotation * found.rotation.inv()).as_rotvec()]
            for (_, pose), (found, _) in zip(truth, answers, strict=True)
        ]
    )
    metres, degrees = np.linalg.norm(errors[:, :3], axis=1), np.degrees(np.linalg.norm(errors[:, 3:], axis=1))
    text = (
        f"{name:34s} {100 * np.median(metres):8.2f} {100 * np.percentile(metres, 95):8.1f} {np.median(degrees):7.2f} "
    )
    if all(covariance is not None for _, covariance in answers):
        squared = [e @ np.linalg.solve(np.asarray(c), e) for e, (_, c) in zip(errors, answers, strict=True)]
        text += f"{np.mean(squared):9.1f}"
    else:
        text += f"{'':9s}"
    return text if spent is None else text + f" {1e3 * np.median(spent):8.2f} {1e3 * np.percentile(spent, 95):8.2f}"


def main() -> None:
    world = build_world("demo", 0)
    truth = drive(world, "later")
    moved = motions(drifting_odometry(truth, seed=1))
    heading = f"{'':34s} {'cm':>8s} {'p95 cm':>8s} {'deg':>7s} {'NEES (6)':>9s} {'ms':>8s} {'p95 ms':>8s}"
    print(f"{len(truth)} images at 10 Hz, window {OPTIONS.window}\n\n{heading}")
    kinds = {
        "network, independent errors": (0.4, 10.0, 0.1, False),
        "network, errors alike on 1 m": (0.4, 10.0, 0.1, True),
        "landmarks": (0.003, 0.1, 0.0, False),
        "landmarks, one in ten wild": (0.003, 0.1, 0.1, False),
    }
    for name, kind in kinds.items():
        seen = estimates(truth, *kind, seed=0)
        print(line(name, truth, [(s.pose, s.covariance) for s in seen if s], None))
        for correlation_m in (0.0, LENGTH_M) if kind[3] else (0.0,):
            how = "  fused" + (f", correlation {correlation_m:g} m" if kind[3] else "")
            print(line(how, truth, *by_graph(seen, moved, correlation_m)))
    print(f"\nthe same window by others\n{heading}")
    for name in ("network, independent errors", "landmarks"):
        seen = estimates(truth, *kinds[name], seed=0)
        print(name)
        print(line("  PoseGraph", truth, *by_graph(seen, moved)))
        print(
            line(
                "  its Gauss-Newton alone",
                truth,
                *by_solver(seen, moved, lambda c, s: pose_chain.minimised(c, s, BOUNDS)),
            )
        )
        print(line("  scipy least_squares", truth, *by_solver(seen, moved, scipy_solution)))
        if importlib.util.find_spec("gtsam") is None:
            print("  GTSAM is not installed")
            continue
        print(line("  GTSAM BatchFixedLagSmoother", truth, *by_gtsam(seen, moved, incremental=False)))
        print(line("  GTSAM IncrementalFixedLagSmoother", truth, *by_gtsam(seen, moved, incremental=True)))


if __name__ == "__main__":
    main()
