"""A map in the middle of an update: the COLMAP model, its database and the landmarks, which grow and fade together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera
from campose_core.errors import MappingError
from campose_core.geometry import Pose
from campose_core.landmark_map.array_forms import Form, checked
from campose_core.landmark_map.arrays import damaged, read_arrays, write_arrays
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.lens import pixels_without_lens, with_lens, without_lens
from campose_core.sfm.stage_process import StageCrash, run_stage
from campose_core.update.colmap_growth import grow
from campose_core.update.frame_localization import FoundFrame, MapFinder, NewFrame
from campose_core.update.keyframe_selection import choose_keyframes, pairs_to_match
from campose_core.update.landmark_persistence import Looks, Observer, View, from_other_places, gone
from campose_core.update.mapped_model import mapped_looks, without_landmarks

STAGE_TIMEOUT_S = 3600.0
LOOKS = "looks.npz"
LOOKS_FORMS = {"ids": Form("iu", ("N",))} | {
    name: Form("f", ("N",)) for name in ("mapped_hits", "mapped_looks", "later_hits", "later_looks")
}


class MapHeld(NamedTuple):
    """A scene's map as it was before an update. ids (N,): COLMAP's of the landmarks (N).

    mapped, earlier: looks at the landmarks by those who made them, and by earlier updates.
    """

    landmarks: Landmarks
    ids: NDArray[np.int64]
    mapped: Looks
    earlier: Looks


def read_map(folder: Path, work: Path) -> MapHeld:
    """Read the map of a scene out of its sfm/, and whether its files are whole and belong together.

    Its keyframes look at its landmarks, where no earlier update has kept what they saw.

    Raises:
        MappingError: a file is damaged, or of another map.
    """
    landmarks = Landmarks.load(folder / "landmarks.npz")
    work.mkdir(parents=True, exist_ok=True)
    files = {name: str(folder / name) for name in ("model", "database.db", "landmarks.npz")}
    arguments = {Path(name).stem: path for name, path in files.items()} | {"out": str(work / "mapped.npz")}
    try:
        run_stage(mapped_looks, arguments, work / "mapped.log", STAGE_TIMEOUT_S, 0)
    except StageCrash as crash:
        raise MappingError(
            f"COLMAP {crash.cause} when it read {files['model']} and {files['database.db']}: they are damaged, or "
            "there is too little memory; run `campose map` again"
        ) from crash
    found = read_arrays(work / "mapped.npz")
    ids, mapped, earlier = found["ids"], Looks(found["hits"], found["looks"]), _nothing(len(found["ids"]))
    if (folder / LOOKS).is_file():
        try:
            kept = checked(read_arrays(folder / LOOKS), LOOKS_FORMS)
        except ValueError as error:
            raise damaged(folder / LOOKS, str(error)) from error
        rows, columns = _common(ids, kept["ids"])
        for looks, name in ((mapped, "mapped"), (earlier, "later")):
            looks.hits[rows] = kept[f"{name}_hits"][columns]
            looks.looks[rows] = kept[f"{name}_looks"][columns]
    return MapHeld(landmarks, ids, mapped, earlier)


@dataclass(frozen=True, eq=False)
class GrowingMap:
    """folder: the scene's sfm/, whose database grows in place. ids (N,): COLMAP's of the landmarks (N).

    given: the camera of the new recording as the growth began with it. camera: the same, refined as the map grows when
    `refine` says so. joined, failed: keyframes that were added, and that were tried in vain. mapped, earlier, now:
    looks at the landmarks by those who made them, by earlier updates and by this one.
    """

    folder: Path
    work: Path
    model: Path
    landmarks: Landmarks
    ids: NDArray[np.int64]
    given: Camera
    camera: Camera
    refine: bool
    mapped: Looks
    earlier: Looks
    now: Looks
    joined: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @classmethod
    def start(cls, folder: Path, work: Path, held: MapHeld, camera: Camera, refine: bool) -> GrowingMap:
        """Begin with the map of a scene as `read_map` found it."""
        now = _nothing(len(held.ids))
        return cls(
            folder, work, folder / "model", held.landmarks, held.ids, camera, camera, refine, held.mapped, held.earlier,
            now,
        )  # fmt: skip

    def grown(self, frames: Sequence[NewFrame], found: Mapping[str, FoundFrame], scene_frames: Path) -> GrowingMap:
        """Add the keyframes among these frames, of the new recording in time order, that the map has use for.

        Raises:
            MappingError: COLMAP failed.
        """
        by_name = {frame.name: frame for frame in frames}
        candidates = [f for f in frames if f.name not in (*self.joined, *self.failed)]
        names = choose_keyframes(candidates, found, self.landmarks, self.camera)
        if not names:
            return self
        self.work.mkdir(parents=True, exist_ok=True)
        features = self.work / "features.npz"
        arrays: dict[str, NDArray[Any]] = {}
        for name in names:
            pixels = pixels_without_lens(self.given, by_name[name].pixels.astype(np.float64))
            seen = np.isfinite(pixels).all(axis=1)
            arrays |= {f"pixels/{name}": pixels[seen], f"descriptors/{name}": by_name[name].descriptors[seen]}
        write_arrays(features, arrays)
        out = self.work / f"model-{len(self.joined) + len(self.failed)}"
        arguments = {
            "images": str(scene_frames), "database": str(self.folder / "database.db"), "model": str(self.model),
            "landmarks": str(self.folder / "landmarks.npz"), "out": str(out),
            "camera": without_lens(self.given).to_dict(), "refine": self.refine, "names": names,
            "again": self.failed, "features": str(features),
            "pairs": pairs_to_match(names, self.failed, by_name, found, self.landmarks, MapFinder(self.landmarks)),
        }  # fmt: skip
        report = run_stage(grow, arguments, self.work / "grow.log", STAGE_TIMEOUT_S, len(names))
        landmarks = Landmarks.load(out / "landmarks.npz")
        ids = read_arrays(out / "ids.npz")["ids"]
        rows, columns = _common(ids, self.ids)
        joined = (*self.joined, *report["registered"])
        return replace(
            self,
            model=out,
            landmarks=landmarks,
            ids=ids,
            camera=with_lens(Camera.from_dict(report["camera"]), self.given),
            mapped=_carried(self.mapped, len(ids), rows, columns),
            earlier=_carried(self.earlier, len(ids), rows, columns),
            now=_nothing(len(ids)),
            joined=joined,
            failed=tuple(sorted({*self.failed, *names} - set(joined))),
        )

    def faded(self, frames: Sequence[NewFrame], poses: Mapping[str, Pose]) -> tuple[GrowingMap, NDArray[np.bool_]]:
        """Drop the landmarks that are gone, as far as all frames of the update that are localized by now show.

        Also returns which (N,) of the landmarks those were.
        """
        views = [View(f.features, self.camera, poses[f.name]) for f in frames if f.name in poses]
        apart = from_other_places(views, self.landmarks.median_depth)
        now = Observer(self.landmarks).looks(apart, self.mapped.rate)
        removed = gone(self.landmarks, self.mapped, self.earlier + now)
        out = self.work / f"{self.model.name}-faded"
        gone_file = self.work / "gone.npz"
        write_arrays(gone_file, {"ids": self.ids[removed]})
        arguments = {"model": str(self.model), "removed": str(gone_file), "out": str(out)}
        run_stage(without_landmarks, arguments, self.work / "fade.log", STAGE_TIMEOUT_S, 0)
        stays = ~removed
        slimmer = replace(
            self,
            model=out,
            landmarks=self.landmarks.without(removed),
            ids=self.ids[stays],
            mapped=self.mapped.of(stays),
            earlier=self.earlier.of(stays),
            now=now.of(stays),
        )
        return slimmer, removed

    def keyframe_poses(self) -> dict[str, Pose]:
        """Return sfm_from_cam of the keyframes that were added, by name."""
        names = [str(name) for name in self.landmarks.frame_names]
        return {name: self.landmarks.world_from_cam(names.index(name)) for name in self.joined}

    def save(self) -> None:
        """Write the model, the landmarks and the looks into the scene's sfm/."""
        for file in self.model.glob("*.bin"):
            file.replace(self.folder / "model" / file.name)
        self.landmarks.save(self.folder / "landmarks.npz")
        looks = {"mapped": self.mapped, "later": self.earlier + self.now}
        hits = {f"{name}_hits": one.hits for name, one in looks.items()}
        counts = {f"{name}_looks": one.looks for name, one in looks.items()}
        write_arrays(self.folder / LOOKS, {"ids": self.ids, **hits, **counts})


def _nothing(count: int) -> Looks:
    return Looks(np.zeros(count), np.zeros(count))


def _common(ids: NDArray[np.int64], others: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of both at which the same ids stand."""
    _, rows, columns = np.intersect1d(ids, others, return_indices=True)
    return rows, columns


def _carried(looks: Looks, count: int, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Looks:
    carried = _nothing(count)
    carried.hits[rows], carried.looks[rows] = looks.hits[columns], looks.looks[columns]
    return carried
