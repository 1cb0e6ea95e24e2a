"""The truths of a set for one method's answers, and the row of numbers that they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.real.alignment import extent, position_errors, truth_from_map
from benchmarks.real.answers import Answers, Poses
from benchmarks.real.pictures import Images
from benchmarks.real.sets import RealSet, read_correspondences
from benchmarks.real.truth import Judged, Nowhere, PoseTruth, Resemblance, Truth, Verdict, poses_of_frames
from campose_core.geometry import Pose, Similarity
from campose_core.trajectory import read_tum

UNKNOWN_LISTED = 200


@dataclass(frozen=True)
class Known:
    """What is known of a set, whoever answers.

    mapping, queries: the frames of the recordings, in order, by recording. metric: poses by frame, of recordings that
    have a TUM file. joint: poses by frame at another scale, for the rest. rows: of correspondences.csv.
    """

    mapping: Mapping[str, Sequence[str]]
    queries: Mapping[str, Sequence[str]]
    wrong: Mapping[str, Sequence[str]]
    metric: Poses = field(default_factory=dict)
    joint: Poses = field(default_factory=dict)
    rows: Sequence[tuple[int, int]] = ()

    @property
    def mapping_frames(self) -> list[str]:
        return [key for keys in self.mapping.values() for key in keys]

    def mapping_poses(self, poses: Poses) -> Poses:
        """Those of mapping frames."""
        return {key: poses[key] for key in self.mapping_frames if key in poses}

    @property
    def is_metric(self) -> bool:
        return bool(self.mapping_poses(self.metric))


def what_is_known(real_set: RealSet, pictures: Mapping[str, Images]) -> Known:
    """From the files of the set; `joint` is for the caller to add where `needs_joint` says so."""
    metric: Poses = {}
    for recording in (*real_set.mapping, *real_set.queries):
        if recording.truth:
            stamps_ns = pictures[recording.name].stamps_ns
            metric.update(poses_of_frames(recording, stamps_ns, read_tum(recording.truth)))
    return Known(
        mapping={recording.name: pictures[recording.name].keys for recording in real_set.mapping},
        queries={recording.name: pictures[recording.name].keys for recording in real_set.queries},
        wrong={recording.name: pictures[recording.name].keys for recording in real_set.wrong},
        metric=metric,
        rows=read_correspondences(real_set.correspondences) if real_set.correspondences else (),
    )


def needs_joint(known: Known) -> bool:
    """Whether some query recording has neither metric poses nor correspondences."""
    return any(not _has_metric(known, keys) for keys in known.queries.values()) and not known.rows


def score(set_name: str, known: Known, answers: Answers) -> dict[str, Any]:
    """The row of a method in a set, as JSON holds it; infinite and unknown numbers are null."""
    metric_from_map = _to_truth(known, known.metric, answers)
    joint_from_map = truth_from_map(answers.mapped, known.mapping_poses(known.joint))
    judged: dict[str, Judged] = {}
    kinds = set()
    for recording, keys in known.queries.items():
        truth, moved = _truth_of(known, recording, answers, metric_from_map, joint_from_map)
        kinds.add(truth.kind)
        judged.update({key: truth.judge(key, _moved(moved, answers.queries.get(key))) for key in keys})
    elsewhere = {key: Nowhere().judge(key, answers.queries.get(key)) for keys in known.wrong.values() for key in keys}
    foreign = [Nowhere().judge(key, pose) for rows in answers.foreign.values() for key, pose in rows.items()]
    counts = {verdict: sum(one.verdict is verdict for one in judged.values()) for verdict in Verdict}
    wrong_elsewhere = sum(one.verdict is Verdict.WRONG_AND_SURE for one in elsewhere.values())
    wrong_foreign = sum(one.verdict is Verdict.WRONG_AND_SURE for one in foreign)
    unknown = [key for key, one in judged.items() if one.verdict is Verdict.UNKNOWN]
    return {
        "set": set_name,
        "method": answers.method,
        "frames": len(known.mapping_frames),
        "frames_mapped": len(answers.mapped),
        **_map_errors(known, answers),
        "held_out_share": answers.held_out_share,
        "queries": len(judged),
        "answered": sum(answers.queries.get(key) is not None for key in judged),
        "right": counts[Verdict.RIGHT],
        **_query_errors(list(judged.values()), kinds),
        "wrong_and_sure": counts[Verdict.WRONG_AND_SURE] + wrong_elsewhere + wrong_foreign,
        "seconds": round(answers.seconds, 1),
        "truth": " and ".join(sorted(kinds)),
        "unknown": len(unknown),
        "unknown_frames": unknown[:UNKNOWN_LISTED],
        "wrong_in_own_set": counts[Verdict.WRONG_AND_SURE],
        "elsewhere_queries": len(elsewhere),
        "elsewhere_answered": wrong_elsewhere,
        "foreign_queries": len(foreign),
        "foreign_answered": wrong_foreign,
        "error": answers.error,
        **answers.notes,
    }


def _truth_of(
    known: Known,
    recording: str,
    answers: Answers,
    metric_from_map: Similarity | None,
    joint_from_map: Similarity | None,
) -> tuple[Truth, Similarity | None]:
    """The truth of a query recording, and what brings an answer into its frame; None where nothing does."""
    if _has_metric(known, known.queries[recording]):
        return PoseTruth(known.metric), metric_from_map
    if known.rows and recording == next(iter(known.queries)):
        frames, queries = known.mapping_frames, known.queries[recording]
        return Resemblance(known.rows, queries, frames, answers.mapped), Similarity.identity()
    return PoseTruth(known.joint, extent(known.mapping_poses(known.joint))), joint_from_map


def _has_metric(known: Known, keys: Sequence[str]) -> bool:
    """A query is only placed by metric poses where the map is."""
    return known.is_metric and any(key in known.metric for key in keys)


def _to_truth(known: Known, truth: Poses, answers: Answers) -> Similarity | None:
    if answers.absolute:
        return Similarity.identity()
    return truth_from_map(answers.mapped, known.mapping_poses(truth))


def _moved(truth_from_map: Similarity | None, answer: Pose | None) -> Pose | None:
    """An answer in the frame of the truth.

    Where nothing brings the map there, the answer is put beyond everything: it was given, and nobody could use it.
    """
    if answer is None:
        return None
    return truth_from_map.transform_pose(answer) if truth_from_map else Pose(answer.rotation, np.full(3, 1e9))


def _map_errors(known: Known, answers: Answers) -> dict[str, float | None]:
    """Of the mapped frames' positions after the best similarity: metres, or shares of the extent."""
    truth = known.mapping_poses(known.metric if known.is_metric else known.joint)
    found = truth_from_map(answers.mapped, truth)
    if found is None:
        return {"map_median_m": None, "map_median_share": None}
    median = float(np.median(position_errors(found, answers.mapped, truth)))
    return {
        "map_median_m": median if known.is_metric else None,
        "map_median_share": median / extent(truth),
    }


def _query_errors(judged: Sequence[Judged], kinds: set[str]) -> dict[str, float | None]:
    """Medians over the queries whose truth is known, unanswered ones infinitely wrong; and over the answered ones."""
    known = [one for one in judged if one.position is not None]
    answered = [one for one in known if np.isfinite(one.position or 0.0)]
    unit = {frozenset({"metric"}): "m", frozenset({"up to scale"}): "share", frozenset({"resemblance"}): "frames"}
    median = f"median_{unit.get(frozenset(kinds), 'mixed')}"
    numbers = {"median_m": None, "median_deg": _median([one.rotation_deg for one in known])}
    numbers[median] = _median([one.position for one in known])
    numbers[f"answered_{median}"] = _median([one.position for one in answered])
    numbers["answered_median_deg"] = _median([one.rotation_deg for one in answered])
    return numbers


def _median(values: Sequence[float | None]) -> float | None:
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    median = float(np.median(known)) if len(known) else np.inf
    return median if np.isfinite(median) else None
