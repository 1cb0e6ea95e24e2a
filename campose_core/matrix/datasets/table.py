"""The field's tables: what others published of a data set, and what campose reaches on it, scene by scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.capture.external_poses import read_reference
from campose_core.errors import CamposeError
from campose_core.evaluation.table import aligned
from campose_core.geometry import umeyama
from campose_core.matrix.datasets.layouts import DATASETS, plan_of, scenes_of
from campose_core.matrix.datasets.published import SOURCES, Score, published
from campose_core.matrix.engine import Engine
from campose_core.matrix.matrix import make_scenes, run_matrix
from campose_core.matrix.rows import Row
from campose_core.scene.scene import Scene

ESTIMATORS = {"structure": "campose", "retrieval": "campose, nearest image"}
MAP = "campose, its map"
HEADER = ("scene", "method", "median", "5cm/5deg", "RMSE", "truth", "source")


def field_table(dataset: str, folder: Path, out: Path, engine: Engine) -> list[Score]:
    """Build and ask the scenes of a data set that lie in a folder; return ours and what was published, by scene.

    Published numbers of scenes that are not there are left out. OUT is as `run_matrix` has it.

    Raises:
        CaptureError: the folder holds no scene of the data set.
        CamposeError: a scene cannot be built, or a run failed; what is finished is kept.
    """
    found = scenes_of(dataset, folder)
    plan = plan_of(dataset, folder, tuple(ESTIMATORS))
    if plan.recordings:
        rows = run_matrix(plan, out, engine)
        failed = {row["scene"]: row["error"] for row in rows if row["error"]}
        ours = [] if failed else [_of_row(row, DATASETS[dataset].truth) for row in rows]
    else:
        failed = make_scenes(plan, out, engine)
        ours = [] if failed else [_of_map(name, scene, out, dataset) for name, scene in found.items()]
    if failed:
        scene, error = next(iter(failed.items()))
        raise CamposeError(f"{scene}: {error}; the same command goes on where it was")
    theirs = [score for score in published(dataset) if score.scene in found]
    return [score for name in found for score in (*theirs, *ours) if score.scene == name]


def table_text(scores: Sequence[Score]) -> str:
    """Write the table, and below it where each number is from."""
    sources = list(dict.fromkeys(score.source for score in scores if score.source))
    marks = {source: f"[{number}]" for number, source in enumerate(sources, start=1)}
    rows = [
        [
            score.scene,
            score.method,
            "-" if score.median_cm is None else f"{score.median_cm:.1f} cm / {score.median_deg:.2f} deg",
            "-" if score.recall_percent is None else f"{score.recall_percent:.1f} %",
            "-" if score.rmse_cm is None else f"{score.rmse_cm:.2f} cm",
            score.truth,
            marks.get(score.source, "measured here"),
        ]
        for score in scores
    ]
    empty = [column for column in (2, 3, 4) if all(row[column] == "-" for row in rows)]
    table = [[cell for column, cell in enumerate(row) if column not in empty] for row in (list(HEADER), *rows)]
    return "\n".join([aligned(table), "", *(f"{mark} {SOURCES[source]}" for source, mark in marks.items())])


def to_dicts(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """Return the scores for JSON, their sources written out."""
    return [{**asdict(score), "source": SOURCES.get(score.source, "measured here")} for score in scores]


def _of_row(row: Row, truth: str) -> Score:
    metres, degrees = row["position_m.median"], row["rotation_deg.median"]
    return Score(
        row["scene"],
        ESTIMATORS[row["estimator"]],
        truth,
        # More than half of the images without an answer: no median is known.
        median_cm=None if metres is None else 100 * metres,
        median_deg=degrees,
        recall_percent=100 * row["recall.5cm/5deg"],
    )


def _of_map(name: str, sequence: Path, out: Path, dataset: str) -> Score:
    """Return the error of the map's own images, after the best similarity, as monocular SLAM is scored."""
    scene, truth = Scene.open(out / "scenes" / name), read_reference(sequence)
    pairs = [
        (frame.map_from_cam.translation, true.translation)
        for frame in scene.frames
        if frame.map_from_cam is not None and (true := truth.at(frame.stamp_ns)) is not None
    ]
    mapped, true_places = (np.array(side) for side in zip(*pairs, strict=True))
    errors = umeyama(mapped, true_places).transform(mapped) - true_places
    rmse_cm = 100 * float(np.sqrt((errors**2).sum(axis=1).mean()))
    return Score(name, MAP, DATASETS[dataset].truth, rmse_cm=rmse_cm)
