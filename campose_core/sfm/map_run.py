"""The stages of mapping over the keyframes of a scene: run in child processes, picked up where a kill left them.

SIFT of half the image first, which suits a walk and a robot's camera rate. Where that leaves keyframes out, or does not
find them again when they are left out, the strong matching is tried, and what holds more together is kept.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from campose_core.errors import MappingError
from campose_core.features.base import Detail
from campose_core.features.registry import SIFT, XFEAT
from campose_core.files import write_text
from campose_core.geometry import Pose
from campose_core.landmark_map.zooms import ZOOM_CURE, Zoom, change_text
from campose_core.sfm import stages
from campose_core.sfm.attempts import GOOD_SHARE
from campose_core.sfm.given_poses import keyframe_poses
from campose_core.sfm.kinds_apart import kinds_apart
from campose_core.sfm.mapper import reconstruction
from campose_core.sfm.pair_selection import matches
from campose_core.sfm.report import MapReport
from campose_core.sfm.rig_constraints import rig_text
from campose_core.sfm.stage_process import Stage, run_stage
from campose_core.sfm.strong_matching import strong_matches
from campose_core.sfm.triangulation import triangulation

log = logging.getLogger(__name__)

ALIKE = {Detail.HALF: 3, Detail.FULL: 15}  # images that look most alike and are no neighbours, each is compared with
# Of the keyframes that are to be left out, found again in the map without them: of walks that hold (a desk, a kitchen,
# rendered floors) 98 %; of a campus whose loop is open a tenth can be left out at all, of a lobby half.
FOUND_AGAIN = 0.8
ENOUGH_FOUND = 10  # keyframes, to call a walk sound
# Of maps by the strong matching: of a flat, a tower, a campus, a tree all or nearly all of them, of a lobby half; of a
# corridor with doors and cabinets of one make, which had been put onto itself, none.
PROVEN, MIN_TESTED = 0.3, 5
AS_NEEDED, STRONG = MATCHINGS = "as-needed", "strong"


class ChangingLens(MappingError):
    """The focal length of a recording changes where it must not."""


class Made(NamedTuple):
    """What mapping made.

    by_kind: of each kind of features the folder with its database.db, model and landmarks.npz, the main kind first,
    which also has held_out.npz.
    """

    by_kind: dict[str, Path]
    report: MapReport

    @property
    def folder(self) -> Path:
        """Return the folder of the main kind."""
        return next(iter(self.by_kind.values()))


@dataclass(frozen=True, kw_only=True)
class MapRun:
    """What the stages are given.

    work: folder of unfinished results. images: folder of all frames. cameras: given intrinsics by source; shared:
    the sources that one camera took; guessed: those without measured intrinsics. names: keyframes by source,
    stamps_ns: of every frame by name. counted: sources whose stamps only count images. features: their kind.
    matching: one of MATCHINGS. posed: known world_from_cam by name, None where they are to be found. rigs: see
    `rigs_of_keyframes`. odometry: odom_from_cam by name.
    """

    work: Path
    images: Path
    cameras: dict[str, Any]
    shared: list[list[str]]
    guessed: list[str]
    names: dict[str, list[str]]
    stamps_ns: dict[str, int]
    counted: list[str]
    features: str
    mapper: str
    matching: str
    timeout_s: float
    posed: dict[str, Pose] | None
    rigs: list[dict[str, Any]]
    odometry: dict[str, Pose]

    @property
    def total(self) -> int:
        """Return the number of keyframes of all sources."""
        return sum(map(len, self.names.values()))

    def run(self) -> Made:
        """Run the stages.

        Raises:
            MappingError: no usable model came out, see `campose_core.sfm.mapper`.
        """
        made = self._most_held()
        log.info(f"map: {made.report.registered} of {self.total} keyframes hold together")
        for text in _pieces_texts(made.report):
            log.info(f"map: {text}")
        return self._with_landmarks(made)

    def _most_held(self) -> Made:
        """Return what half the image holds; where that is not all of the walk, or not sure, what more matching does."""
        strong_fits = self.features == SIFT and self.posed is None and not self.rigs
        if self.matching == STRONG and strong_fits:
            return self._strongly_held()
        more = self._strongly_held if strong_fits else partial(self._reconstructed, Detail.FULL)
        how = "XFeat and LighterGlue" if strong_fits else "features of the full image"
        try:
            half = self._reconstructed(Detail.HALF)
        except ChangingLens:  # more features do not make it one lens
            raise
        except MappingError as error:
            if self.posed is not None:  # more features do not make wrong poses right
                raise
            log.info(f"map: {error}")
            log.info(f"map: tried again with {how}")
            try:
                return more()
            except MappingError as another:
                log.info(f"map: {another}")
                raise error from another
        if self.posed is not None:
            return half
        doubt = f"{_held(half.report)} of {self.total} keyframes hold together"
        if _held(half.report) >= GOOD_SHARE * self.total:
            half = self._with_landmarks(half)
            if not strong_fits or half.report.found_again >= FOUND_AGAIN:
                return half
            if _is_sound_chain(half.report):
                log.info("map: the walk comes back to no place, so nothing shows how far its map bends")
                return half
            doubt = "the map does not hold without some of its keyframes"
        log.info(f"map: {doubt}: tried again with {how}")
        try:
            found = more()
        except MappingError as error:
            log.info(f"map: {error}")
            return half
        if half.report.held_out is None:
            return found if _held(found.report) >= _held(half.report) else half
        found = self._with_landmarks(found)
        return found if found.report.found_again > half.report.found_again else half

    def _with_landmarks(self, made: Made) -> Made:
        """Write what localization needs of a model, and find out how well keyframes are found again without them."""
        if made.report.held_out is not None:  # it has them
            return made
        report, folder = made.report, made.folder
        models = [
            {"database": str(place / "database.db"), "model": str(place / "model")} for place in made.by_kind.values()
        ]
        for (kind, place), where in zip(made.by_kind.items(), models, strict=True):
            out = place / "landmarks.npz"
            found = self._stage(place, stages.landmarks, out, **where, kind=kind, detail=report.detail, out=str(out))
            report = report.with_stage(found) if place == folder else report
        log.info(f"map: {report.landmarks} landmarks")
        stamps = {source: {name: self.stamps_ns[name] for name in chosen} for source, chosen in self.names.items()}
        again = folder / "held_out.npz"
        tested = self._stage(
            folder,
            stages.held_out,
            again,
            models=models,
            kinds=list(made.by_kind),
            stamps_ns=stamps,
            counted=self.counted,
            out=str(again),
        )
        if tested.held_out is not None:
            log.info(f"map: {tested.held_out.text()}")
        return made._replace(report=report.with_stage(tested))

    def _strongly_held(self) -> Made:
        """Return what the strong matching holds, where it proves itself.

        Raises:
            MappingError: the map does not find again what is left out of it.
        """
        made = self._with_landmarks(self._strongly_reconstructed())
        tested = made.report.held_out
        if tested and (tested.found or 0) < PROVEN * (tested.keyframes or 0) and (tested.keyframes or 0) >= MIN_TESTED:
            raise MappingError(
                f"of what XFeat and LighterGlue hold only {tested.found} of {tested.keyframes} keyframes are found "
                "again when they are left out: it seems that things that look alike were taken for one place"
            )
        return made

    def _strongly_reconstructed(self) -> Made:
        """From images to a model by two kinds of features, and on the poses of it to a model of each kind."""
        folder, kinds = self.work / "strong", [SIFT, XFEAT]
        places = [folder, folder / XFEAT]
        found = [self._features(place, kind, Detail.FULL) for place, kind in zip(places, kinds, strict=True)]
        features = [str(place / "features.db") for place in places]
        joint, joint_model = folder / "joint.db", folder / "joint_model"
        matched = self._stage(
            folder, strong_matches, joint, features=features, kinds=kinds, database=str(joint), names=self.names
        )
        log.info(f"map: {matched.verified} of {matched.pairs} pairs match, {matched.verified_loops} close a loop")
        made = self._mapped(folder, joint, joint_model, None)
        apart = self._stage(
            folder, kinds_apart, folder / "model", images=str(self.images), joint=str(joint),
            joint_model=str(joint_model), features=features, kinds=kinds, places=list(map(str, places)),
        )  # fmt: skip
        report = replace(
            found[0].with_stage(matched).with_stage(made).with_stage(apart), detail=Detail.FULL.value, matching=STRONG
        )
        return Made(dict(zip(kinds, places, strict=True)), report)

    def _reconstructed(self, detail: Detail) -> Made:
        """From images to a model by one kind of features."""
        folder = self.work / detail.value
        found = self._features(folder, self.features, detail)
        # Where no mapper has to find out which of them are wrong, images without a clock may come in any order.
        in_order = self.posed is None or not self.counted
        alike = ALIKE[detail if in_order else Detail.FULL]
        features, database, model = folder / "features.db", folder / "database.db", folder / "model"
        matched = self._stage(
            folder, matches, database, features=str(features), database=str(database), names=self.names,
            rigs=self.rigs, alike=alike, kind=self.features,
        )  # fmt: skip
        log.info(f"map: {matched.verified} of {matched.pairs} pairs match, {matched.verified_loops} close a loop")
        found = replace(found.with_stage(matched), detail=detail.value)
        if self.posed is None:
            made = self._mapped(folder, database, model, self.features)
            return Made({self.features: folder}, found.with_stage(made))
        where = {"images": str(self.images), "database": str(database), "model": str(model)}
        made = self._stage(folder, triangulation, model, **where, poses=keyframe_poses(self.posed, self.names))
        align = "map without --poses, which tells lenses apart, then `campose align SCENE --tracker POSES`"
        self._refuse(made.zooms, "mapped from given poses", align)
        if made.given_poses is not None:
            log.info(f"map: {made.given_poses.text()}")
        return Made({self.features: folder}, found.with_stage(made))

    def _features(self, folder: Path, kind: str, detail: Detail) -> MapReport:
        folder.mkdir(parents=True, exist_ok=True)
        features = folder / "features.db"
        found = self._stage(
            folder, stages.features, features, images=str(self.images), database=str(features), cameras=self.cameras,
            names=self.names, shared=self.shared, kind=kind, detail=detail.value,
        )  # fmt: skip
        log.info(f"map: {found.median_features:.0f} features of {kind} in the median keyframe")
        return found

    def _mapped(self, folder: Path, database: Path, model: Path, kind: str | None) -> MapReport:
        moved = {
            name: [*map(float, pose.translation), *map(float, pose.quat_xyzw)] for name, pose in self.odometry.items()
        }
        made = self._stage(
            folder, reconstruction, model, images=str(self.images), database=str(database), model=str(model),
            mapper=self.mapper, names=self.names, odometry=moved, rigs=self.rigs, guessed=self.guessed, kind=kind,
        )  # fmt: skip
        if made.rigs:
            self._refuse(made.zooms, "mapped as a rig", "map with --rig none, which tells lenses apart")
        if self.rigs:
            log.info(rig_text(self.rigs, made.rigs or []))
        return made

    def _refuse(self, zooms: Sequence[Zoom] | None, how: str, cure: str) -> None:
        if zooms:
            changes = change_text(zooms[0], self.stamps_ns)
            raise ChangingLens(f"map: {changes}. What is {how} needs one; {ZOOM_CURE}, cut it there, or {cure}")

    def _stage(self, folder: Path, stage: Stage, result: Path, **arguments: Any) -> MapReport:
        """Return what a stage says, which runs unless an earlier run has left its report."""
        name = stage.__name__
        report = folder / f"{name}.json"
        if report.is_file():
            return MapReport.read(report, f"remove {folder}, then map again")
        # With all that a killed stage left: SQLite would replay a write-ahead log of the old database into the new one.
        for left in folder.glob(f"{result.name}*"):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()
        found = run_stage(stage, arguments, folder / f"{name}.log", self.timeout_s, self.total)
        write_text(report, json.dumps(found))
        return MapReport.from_dict(found)


def _is_sound_chain(made: MapReport) -> bool:
    """Whether keyframes are found again where they can be left out, and the rest is one way without a loop to find."""
    tested = made.held_out
    found, left_out = (tested.found or 0, tested.keyframes or 0) if tested else (0, 0)
    return not made.comes_back and found >= max(ENOUGH_FOUND, FOUND_AGAIN * left_out)


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
    if made.matching == STRONG:
        texts.append(
            f"XFeat holds {len(made.held_by_second or [])} keyframes where SIFT has too few landmarks; "
            f"{len(made.loops_refused or [])} pairs that look alike were not believed"
        )
    if (drift := made.loop_drift) and drift.loops:
        texts.append(
            f"{drift.loops} loops; until it is back, the walk has turned {drift.chained_deg:.2f} deg off from "
            f"neighbour to neighbour, {drift.map_deg:.2f} deg in the map"
        )
    return texts
