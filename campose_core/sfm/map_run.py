"""The stages of mapping over the keyframes of a scene: run in child processes, picked up where a kill left them.

Features of half the image first, which suit a walk and a robot's camera rate; where they leave keyframes out, those
of the full image and more pairs are tried, and what holds more together is kept.
"""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from campose_core.errors import MappingError
from campose_core.features.base import Detail
from campose_core.files import write_text
from campose_core.geometry import Pose
from campose_core.sfm import stages
from campose_core.sfm.attempts import GOOD_SHARE
from campose_core.sfm.given_poses import keyframe_poses
from campose_core.sfm.mapper import reconstruction
from campose_core.sfm.pair_selection import matches
from campose_core.sfm.report import MapReport
from campose_core.sfm.rig_constraints import rig_text
from campose_core.sfm.stage_process import Stage, run_stage
from campose_core.sfm.triangulation import triangulation

log = logging.getLogger(__name__)

ALIKE = {Detail.HALF: 3, Detail.FULL: 15}  # images that look most alike and are no neighbours, each is compared with


@dataclass(frozen=True, kw_only=True)
class MapRun:
    """What the stages are given.

    work: folder of unfinished results. images: folder of all frames. cameras: given intrinsics by source; shared: the
    sources that one camera took; guessed: those without measured intrinsics. names: keyframes by source, stamps_ns: of
    every frame by name. features: their kind. posed: known world_from_cam by name, None where they are to be found.
    rigs: see `rigs_of_keyframes`. odometry: odom_from_cam by name.
    """

    work: Path
    images: Path
    cameras: dict[str, Any]
    shared: list[list[str]]
    guessed: list[str]
    names: dict[str, list[str]]
    stamps_ns: dict[str, int]
    features: str
    mapper: str
    timeout_s: float
    posed: dict[str, Pose] | None
    rigs: list[dict[str, Any]]
    odometry: dict[str, Pose]

    @property
    def total(self) -> int:
        """Return the number of keyframes of all sources."""
        return sum(map(len, self.names.values()))

    def run(self) -> tuple[Path, MapReport]:
        """Run the stages; returns the folder that holds database.db, model, landmarks.npz and held_out.npz, and what
        all stages say in one.

        Raises:
            MappingError: no usable model came out, see `campose_core.sfm.mapper`.
        """
        detail, made = self._most_held()
        folder = self.work / detail.value
        log.info(f"map: {made.registered} of {self.total} keyframes hold together, {made.landmarks} landmarks")
        for text in _pieces_texts(made):
            log.info(f"map: {text}")
        where = {"database": str(folder / "database.db"), "model": str(folder / "model")}
        landmarks, again = folder / "landmarks.npz", folder / "held_out.npz"
        self._stage(
            folder, stages.landmarks, landmarks, **where, kind=self.features, detail=detail.value, out=str(landmarks)
        )
        stamps = {source: {name: self.stamps_ns[name] for name in chosen} for source, chosen in self.names.items()}
        tested = self._stage(
            folder, stages.held_out, again, **where, stamps_ns=stamps, kind=self.features, out=str(again)
        )
        if tested.held_out is not None:
            log.info(f"map: {tested.held_out.text()}")
        return folder, replace(made.with_stage(tested), detail=detail.value)

    def _most_held(self) -> tuple[Detail, MapReport]:
        try:
            half = self._reconstructed(Detail.HALF)
        except MappingError as error:
            if self.posed is not None:  # more features do not make wrong poses right
                raise
            log.info(f"map: {error}")
            log.info("map: tried again with features of the full image")
            return Detail.FULL, self._reconstructed(Detail.FULL)
        if self.posed is not None or _held(half) >= GOOD_SHARE * self.total:
            return Detail.HALF, half
        log.info(
            f"map: {_held(half)} of {self.total} keyframes hold together: tried again with features of the full image"
        )
        try:
            full = self._reconstructed(Detail.FULL)
        except MappingError as error:
            log.info(f"map: {error}")
            return Detail.HALF, half
        return (Detail.FULL, full) if _held(full) > _held(half) else (Detail.HALF, half)

    def _reconstructed(self, detail: Detail) -> MapReport:
        """From images to a model."""
        folder = self.work / detail.value
        folder.mkdir(exist_ok=True)
        features, database, model = folder / "features.db", folder / "database.db", folder / "model"
        found = self._stage(
            folder, stages.features, features, images=str(self.images), database=str(features), cameras=self.cameras,
            names=self.names, shared=self.shared, kind=self.features, detail=detail.value,
        )  # fmt: skip
        log.info(f"map: {found.median_features:.0f} features in the median keyframe")
        matched = self._stage(
            folder, matches, database, features=str(features), database=str(database), names=self.names,
            rigs=self.rigs, alike=ALIKE[detail], kind=self.features,
        )  # fmt: skip
        log.info(f"map: {matched.verified} of {matched.pairs} pairs match, {matched.verified_loops} close a loop")
        found = found.with_stage(matched)
        where = {"images": str(self.images), "database": str(database), "model": str(model)}
        if self.posed is not None:
            poses = keyframe_poses(self.posed, self.names)
            made = self._stage(folder, triangulation, model, **where, poses=poses)
            if made.given_poses is not None:
                log.info(f"map: {made.given_poses.text()}")
            return found.with_stage(made)
        moved = {
            name: [*map(float, pose.translation), *map(float, pose.quat_xyzw)] for name, pose in self.odometry.items()
        }
        made = self._stage(
            folder, reconstruction, model, **where, mapper=self.mapper, names=self.names, odometry=moved,
            rigs=self.rigs, guessed=self.guessed, kind=self.features,
        )  # fmt: skip
        if self.rigs:
            log.info(rig_text(self.rigs, made.rigs or []))
        return found.with_stage(made)

    def _stage(self, folder: Path, stage: Stage, result: Path, **arguments: Any) -> MapReport:
        """Return what a stage says, which runs unless an earlier run has left its report."""
        name = stage.__name__
        report = folder / f"{name}.json"
        if report.is_file():
            return MapReport.from_dict(json.loads(report.read_text()))
        # With all that a killed stage left: SQLite would replay a write-ahead log of the old database into the new one.
        for left in folder.glob(f"{result.name}*"):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()
        found = run_stage(stage, arguments, folder / f"{name}.log", self.timeout_s, self.total)
        write_text(report, json.dumps(found))
        return MapReport.from_dict(found)


def _held(made: MapReport) -> int:
    """Keyframes that the images alone hold together."""
    return max((made.tried or {}).values(), default=0)


def _pieces_texts(made: MapReport) -> list[str]:
    """How the map came together, where that is worth a line."""
    texts = []
    if joined := made.joined_by:
        texts.append(
            f"{len(joined)} pieces that no image joins were placed by "
            f"{' and '.join(sorted(set(joined)))}: as good as that is"
        )
    if made.other_models:
        texts.append(
            f"left out: pieces of {made.other_models} keyframes, which nothing joins to the rest. Record the way "
            f"between them slowly, with both in view{'' if made.joins_refused else ', or a bag with odometry'}"
        )
    if refused := made.joins_refused:
        texts.append(f"not joined, since the joint does not prove itself: {'; '.join(refused)}")
    if (drift := made.loop_drift) and drift.loops:
        texts.append(
            f"{drift.loops} loops; until it is back, the walk has turned {drift.chained_deg:.2f} deg off from "
            f"neighbour to neighbour, {drift.map_deg:.2f} deg in the map"
        )
    return texts
