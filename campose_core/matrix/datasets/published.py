"""Published numbers, each with its source and the version of the truth that it is against.

`published.csv` beside this holds them: median_cm, median_deg, recall_percent (5 cm and 5 degrees), rmse_cm (keyframes,
after the best similarity), empty where the source has none.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("published.csv")
SOURCES = {
    "pgt": "errors of the poses that Brachmann et al. published with \"On the limits of pseudo ground truth in visual "
    'camera re-localization", ICCV 2021: github.com/tsattler/visloc_pseudo_gt_limitations, 22b7c48',
    "xrloc": "table of OpenXRLab: github.com/openxrlab/xrlocalization, docs/en/benchmark/benchmark.md, 43dde26",
    "orbslam": 'table III of Mur-Artal et al., "ORB-SLAM: a versatile and accurate monocular SLAM system", IEEE '
    "Transactions on Robotics 31(5), 2015; medians of five runs",
}  # fmt: skip


@dataclass(frozen=True)
class Score:
    """A number of the tables: of a method in a scene, as far as it is known.

    truth: the version of the truth. source: a key of SOURCES; empty for what was measured here.
    """

    scene: str
    method: str
    truth: str
    source: str = ""
    median_cm: float | None = None
    median_deg: float | None = None
    recall_percent: float | None = None
    rmse_cm: float | None = None


def published(dataset: str) -> list[Score]:
    """Return the published numbers of a data set, in the order of the table."""
    with open(TABLE, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.pop("dataset") == dataset]
    numbers = ("median_cm", "median_deg", "recall_percent", "rmse_cm")
    return [
        Score(
            row["scene"], row["method"], row["truth"], row["source"],
            **{name: float(row[name]) if row[name] else None for name in numbers},
        )
        for row in rows
    ]  # fmt: skip
