"""The stage of mapping that turns matches into one model: ways to models tried in turn, pieces joined by images they
share or by odometry, and words for what was left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.errors import MappingError
from campose_core.geometry import Pose
from campose_core.joining.components import Piece
from campose_core.joining.join import join
from campose_core.joining.loop_drift import LoopDrift, comes_back, loop_drift
from campose_core.joining.seen_turns import seen_turns
from campose_core.landmark_map.colmap import adjust, drop_outliers, load_pycolmap, model_cameras, model_poses
from campose_core.landmark_map.cropped_centres import with_found_centres
from campose_core.landmark_map.focal_certainty import focal_sigmas
from campose_core.landmark_map.intrinsics import lens_of
from campose_core.landmark_map.two_view_turn import MIN_INLIER_MATCHES
from campose_core.landmark_map.zooms import (
    ZOOM_CURE,
    Zoom,
    camera_of,
    first_of_lenses,
    placed_names,
    steady_lenses,
    zooms_between,
    zooms_of,
)
from campose_core.sfm.attempts import Attempt, attempt_by_lenses, mapped, settled, with_more_images
from campose_core.sfm.cross_validation import leave_out
from campose_core.sfm.pair_selection import verified_pairs
from campose_core.sfm.report import MapReport, RigReport
from campose_core.sfm.rig_constraints import hold_rigs, write_rigs
from campose_core.sfm.shared_intrinsics import share_cameras, with_cameras_of_lenses, with_own_cameras
from campose_core.sfm.triangulation import MIN_LANDMARKS, posed_model

# Of pairs by two kinds of features: of a camera that turns on the spot four of five are flat, and what the noise of
# XFeat's pixels makes of the others is no place. Of real walks by them at most 7 %, of a desk that is all turns 69 %.
MOST_TURNED = 0.8
# For each keyframe: a camera that turned before a desk leaves 19, kitchens 43. With fewer they are triangulated again;
# where there are many, what is gained is weak, and tells an update less. Models of two kinds have been in any case.
FEW_LANDMARKS = 30
# Recordings of one lens come out within 1 or 2 % of each other; other lenses and zooms differ by 20 % and more.
OTHER_LENS = 1.05
MIN_IMAGES_OF_LENS = 8


def reconstruction(
    *,
    images: str,
    database: str,
    model: str,
    mapper: str,
    names: dict[str, list[str]],
    odometry: dict[str, list[float]],
    rigs: list[dict[str, Any]],
    guessed: list[str],
    kind: str | None,
) -> dict[str, Any]:
    """Run the mapper and keep what holds together; says what the rest is.

    odometry: odom_from_cam by image name, (x, y, z, qx, qy, qz, qw). rigs: see `rigs_of_keyframes`. guessed: sources
    without measured intrinsics. kind: of the features in the database; None: of two kinds.

    Raises:
        MappingError: no model, or none with enough landmarks.
    """
    pycolmap = load_pycolmap()
    pycolmap.logging.minloglevel = 0
    sequences, path = list(names.values()), Path(database)
    if kind is None and _mostly_turned(path):
        raise MappingError(_failure(path, sequences, []))
    held, switches, zooms = write_rigs(database, rigs, mapper), list[str](), list[Zoom]()
    if held:
        models = mapped(images, path, Path(model), mapper)
        if not models or models[0].num_points3D() < MIN_LANDMARKS:
            raise MappingError(_failure(path, sequences, []))
        kept, tried = models[0], {mapper: models[0].num_reg_images()}
        by, others, refused = list[str](), [m.num_reg_images() for m in models[1:]], list[str]()
        zooms = zooms_of(kept, names)
        rig_reports = [RigReport(rig.cameras, None) for rig in held] if zooms else hold_rigs(kept, held, mapper)
    else:
        best, tried, switches = attempt_by_lenses(images, path, Path(model), mapper, names, guessed, kind)
        kept, by, others, refused = _one_model(images, best, Path(model), sequences, odometry)
        if kind is not None and kept.num_points3D() < FEW_LANDMARKS * kept.num_reg_images():
            kept = settled(images, best.database, kept, Path(model).with_suffix(".settled"), rounds=1)
        if guessed:
            kept = with_found_centres(kept, guessed)
            kept, best = _with_lenses_told_apart(images, kept, best, guessed, Path(model))
        kept, best, switches, zooms = _without_zooms(images, kept, best, names, switches, Path(model))
        if best.database != path:
            best.database.replace(path)
        if kept.num_points3D() < MIN_LANDMARKS:
            raise MappingError(_failure(path, sequences, best.pieces))
        rig_reports = []
    back = comes_back(model_poses(kept), sequences)
    with pycolmap.Database.open(database) as db:
        drift = loop_drift(kept, db, sequences) if back else LoopDrift(0)
    Path(model).mkdir(parents=True)
    kept.write(model)
    return MapReport(
        registered=kept.num_reg_images(),
        landmarks=kept.num_points3D(),
        reprojection_px=kept.compute_mean_reprojection_error(),
        other_models=others,
        tried=tried,
        joined_by=by,
        joins_refused=refused or None,
        loop_drift=drift,
        comes_back=back,
        rigs=rig_reports,
        cameras=model_cameras(kept, switches),
        lens_switches=switches or None,
        zooms=zooms or None,
        focal_sigmas=focal_sigmas(kept, switches) if guessed else None,
    ).to_dict()


def _one_model(
    images: str, found: Attempt, model: Path, sequences: Sequence[Sequence[str]], odometry: dict[str, list[float]]
) -> tuple[Any, list[str], list[int], list[str]]:
    """Return the model to keep, how its pieces came together, the sizes of the pieces left out, and why some were."""
    if not found.pieces:
        raise MappingError(_failure(found.database, sequences, []))
    with load_pycolmap().Database.open(found.database) as db:
        piece_of = {name: number for number, piece in enumerate(found.pieces) for name in piece.world_from_cam}
        seen = seen_turns(db, sequences, piece_of) if odometry and len(found.pieces) > 1 else {}
    joined = join(
        [piece.world_from_cam for piece in found.pieces],
        {name: Pose.from_quat_xyzw(row[3:], row[:3]) for name, row in odometry.items()},
        sequences,
        seen,
    )
    left = [len(piece) for piece in joined.left]
    if joined.by:
        return _joined_model(images, found, model, joined.world_from_cam), joined.by, left, joined.refused
    largest = found.pieces[0]
    kept = largest.model
    if not largest.is_whole:
        leave_out(kept, {kept.image(i).name for i in kept.reg_image_ids()} - largest.world_from_cam.keys())
        drop_outliers(kept)
    total = sum(map(len, sequences))
    if kept.num_reg_images() < total:
        more = with_more_images(images, found.database, kept, model, sequences)
        if more.num_reg_images() > kept.num_reg_images():
            kept = more
            adjust(kept)
            drop_outliers(kept)
    return (kept, [], [], []) if kept.num_reg_images() == total else (kept, [], left, joined.refused)


def _joined_model(images: str, found: Attempt, model: Path, poses: dict[str, Pose]) -> Any:
    """Landmarks of all pieces, triangulated from the poses in one frame, and everything adjusted."""
    with load_pycolmap().Database.open(found.database) as db:
        for camera in found.pieces[0].model.cameras.values():
            db.update_camera(camera)  # as the largest piece has refined it
    return _triangulated_and_adjusted(images, found.database, model, poses)


def _with_lenses_told_apart(
    images: str, kept: Any, found: Attempt, guessed: Sequence[str], model: Path
) -> tuple[Any, Attempt]:
    """Return the model with one camera per guessed source, where these get other focal lengths; else as it was."""
    counts = dict.fromkeys(guessed, 0)
    for image_id in kept.reg_image_ids():
        source = kept.image(image_id).name.split("/")[0]
        counts[source] = counts.get(source, 0) + 1
    seen = [source for source in guessed if counts[source] >= MIN_IMAGES_OF_LENS]
    if len(seen) < 2 or not share_cameras(found.database, guessed):
        return kept, found
    with load_pycolmap().Database.open(found.database) as db:
        for camera in kept.cameras.values():
            db.update_camera(camera)
    apart = found.database.with_suffix(".lenses.db")
    with_own_cameras(found.database, apart)
    own = _triangulated_and_adjusted(images, apart, model, model_poses(kept))
    focal = {own.image(i).name.split("/")[0]: own.image(i).camera.mean_focal_length() for i in own.reg_image_ids()}
    lengths = [focal[source] for source in seen if source in focal]
    if max(lengths) < OTHER_LENS * min(lengths):
        apart.unlink()
        return kept, found
    return own, found._replace(database=apart)


def _without_zooms(
    images: str, kept: Any, found: Attempt, names: dict[str, list[str]], switches: list[str], model: Path
) -> tuple[Any, Attempt, list[str], list[Zoom]]:
    """Return the model without keyframes that were taken while somebody zoomed, with a camera for each steady focal
    length, the first image by each further one, and these zooms; as it was where nobody did."""
    placed = placed_names(kept, names)
    freed, lenses = steady_lenses(kept, placed, switches)
    if not lenses:
        return kept, found, switches, []
    zooms = zooms_between(lenses, placed, switches)
    steady = {name for runs in lenses.values() for run in runs for name in run.names}
    if len(steady) < MIN_IMAGES_OF_LENS:
        raise MappingError(f"mapping: the focal length changes all the time: {ZOOM_CURE}")
    firsts = first_of_lenses(lenses, zooms, switches)
    cameras = {lens_of(run.names[0], firsts): camera_of(kept, run) for runs in lenses.values() for run in runs}
    apart = found.database.with_suffix(".zooms.db")
    with_cameras_of_lenses(found.database, apart, cameras, firsts)
    poses = {name: pose for name, pose in model_poses(freed).items() if name in steady}
    return _triangulated_and_adjusted(images, apart, model, poses), found._replace(database=apart), firsts, zooms


def _triangulated_and_adjusted(images: str, database: Path, model: Path, poses: dict[str, Pose]) -> Any:
    with load_pycolmap().Database.open(database) as db:
        rows = {name: [*pose.translation, *pose.quat_xyzw] for name, pose in poses.items()}
        posed = posed_model(db, rows)
    return settled(images, database, posed, model.with_suffix(".settled"), rounds=1)


def _failure(database: Path, sequences: Sequence[Sequence[str]], pieces: Sequence[Piece]) -> str:
    """Say what was found where no usable model came out."""
    with load_pycolmap().Database.open(database) as db:
        verified = verified_pairs(db)
        compared = len(db.read_two_view_geometries()[0])
    turned, _ = _turned_pairs(database)
    total = sum(map(len, sequences))
    found = (
        f"mapping: no model came out of {total} keyframes: {len(verified)} of {compared} pairs that were compared "
        f"share {MIN_INLIER_MATCHES} or more features, {turned} of these by a turn on the spot or by one plane"
    )
    if longest := _longest_run(sequences, verified):
        found += f"; the longest run of neighbours that match goes from {longest[0]} to {longest[-1]}"
    if pieces:
        landmarks = int(np.max([piece.model.num_points3D() for piece in pieces]))
        found += f"; the largest piece holds {len(pieces[0].world_from_cam)} keyframes and {landmarks} landmarks"
    return f"{found}. Record a continuous walk with things at several depths in view, or extract at a higher --fps"


def _mostly_turned(database: Path) -> bool:
    turned, usable = _turned_pairs(database)
    return turned > MOST_TURNED * usable


def _turned_pairs(database: Path) -> tuple[int, int]:
    """Count the pairs of images that a turn on the spot or one plane explains, and all that share enough."""
    pycolmap = load_pycolmap()
    kinds = pycolmap.TwoViewGeometryConfiguration
    flat = (kinds.PLANAR, kinds.PANORAMIC, kinds.PLANAR_OR_PANORAMIC)
    with pycolmap.Database.open(database) as db:
        _, geometries = db.read_two_view_geometries()
    usable = [geometry for geometry in geometries if len(geometry.inlier_matches) >= MIN_INLIER_MATCHES]
    return sum(geometry.config in flat for geometry in usable), len(usable)


def _longest_run(sequences: Sequence[Sequence[str]], verified: set[tuple[str, str]]) -> list[str]:
    """Of keyframes each of which matches the next; empty where no two do."""
    longest: list[str] = []
    for sequence in sequences:
        run = list(sequence[:1])
        for before, after in pairwise(sequence):
            run = [*run, after] if (before, after) in verified or (after, before) in verified else [after]
            longest = run if len(run) > max(1, len(longest)) else longest
    return longest
