"""The stage of mapping that turns matches into one model: the mapper, a look at what it can be trusted with, and what
can be done where that is not all.

The global mapper comes first. Where parts of its model are not held together by the pictures, borders are matched
again, the incremental mapper tries, and whichever holds more together is taken; pieces then join by images they share,
or by odometry.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from campose_core.errors import MappingError
from campose_core.geometry import Pose
from campose_core.mapping.colmap import adjust, from_colmap_camera, load_pycolmap
from campose_core.mapping.drift import loop_drift
from campose_core.mapping.held_out import leave_out
from campose_core.mapping.joining import join
from campose_core.mapping.matching import match_again, verified_pairs
from campose_core.mapping.pieces import MIN_INLIER_MATCHES, Piece, pieces_of
from campose_core.mapping.rig import hold_rigs, write_rigs
from campose_core.mapping.triangulation import MAX_REPROJECTION_PX, MIN_ANGLE_DEG, posed_model, triangulated

SEED = 0
LEAST_LANDMARKS = 50
GOOD_SHARE = 0.95  # of the keyframes in one piece: no second try
BORDER_NEIGHBOURS = 4  # on either side of a border, matched again with the epipolar line as a guide


def reconstruction(
    *,
    images: str,
    database: str,
    model: str,
    mapper: str,
    names: dict[str, list[str]],
    odometry: dict[str, list[float]],
    rigs: list[dict[str, Any]],
) -> dict[str, Any]:
    """Run the mapper and keep what holds together; says what the rest is.

    odometry: odom_from_cam by image name, (x, y, z, qx, qy, qz, qw). rigs: see `rigs_of_keyframes`.

    Raises:
        MappingError: no model, or none with enough landmarks.
    """
    pycolmap = load_pycolmap()
    pycolmap.logging.minloglevel = 0
    held = write_rigs(database, rigs, mapper)
    models = _mapped(images, database, Path(model), mapper)
    if not models or models[0].num_points3D() < LEAST_LANDMARKS:
        _explain_failure(database, models)
    if held:
        kept, by = models[0], list[str]()
        others = [m.num_reg_images() for m in models[1:]]
        rig_reports = hold_rigs(kept, held, mapper)
    else:
        kept, by, others = _one_model(images, database, Path(model), mapper, models, names, odometry)
        rig_reports = []
    with pycolmap.Database.open(database) as db:
        drift = loop_drift(kept, db, list(names.values()))
    Path(model).mkdir(parents=True)
    kept.write(model)
    return {
        "registered": kept.num_reg_images(),
        "landmarks": kept.num_points3D(),
        "reprojection_px": kept.compute_mean_reprojection_error(),
        "other_models": others,
        "joined_by": by,
        "loop_drift": drift,
        "rigs": rig_reports,
        "cameras": {
            kept.image(i).name.split("/")[0]: from_colmap_camera(kept.image(i).camera).to_dict()
            for i in kept.reg_image_ids()
        },
    }


def _one_model(
    images: str,
    database: str,
    model: Path,
    mapper: str,
    models: list[Any],
    names: dict[str, list[str]],
    odometry: dict[str, list[float]],
) -> tuple[Any, list[str], list[int]]:
    """The model to keep, how its pieces came together, and the sizes of the pieces left out."""
    total = sum(map(len, names.values()))
    pieces = _pieces(models, database)
    if mapper == "global" and _largest(pieces) < GOOD_SHARE * total:
        match_again(database, _across_borders(pieces, list(names.values())))
        again = _pieces(_mapped(images, database, model, "incremental"), database)
        if _largest(again) > _largest(pieces):
            pieces = again
    if not pieces:
        _explain_failure(database, models)
    joined = join(
        [piece.world_from_cam for piece in pieces],
        {name: Pose.from_quat_xyzw(row[3:], row[:3]) for name, row in odometry.items()},
        list(names.values()),
    )
    left = [len(piece) for piece in joined.left]
    if joined.by:
        return _joined_model(images, database, model, pieces[0], joined.world_from_cam), joined.by, left
    kept = pieces[0].model
    if not pieces[0].is_whole:
        leave_out(kept, {kept.image(i).name for i in kept.reg_image_ids()} - pieces[0].world_from_cam.keys())
        _drop_outliers(kept)
    return kept, [], left


def _mapped(images: str, database: str, model: Path, mapper: str) -> list[Any]:
    """All models of a mapper, the largest first."""
    pycolmap = load_pycolmap()
    pycolmap.set_random_seed(SEED)
    work = model.with_suffix(".models")
    work.mkdir(parents=True, exist_ok=True)
    if mapper == "global":
        options = pycolmap.GlobalPipelineOptions()
        options.random_seed = SEED
        # One thread: several add up in the order in which they happen to finish, and a weak map follows the last bits.
        options.num_threads = options.mapper.num_threads = 1
        options.mapper.bundle_adjustment.ceres.solver_options.num_threads = 1
        models = pycolmap.global_mapping(database, images, str(work), options)
    else:
        options = pycolmap.IncrementalPipelineOptions()
        options.random_seed = SEED
        options.num_threads = 1
        options.ba_refine_sensor_from_rig = False
        models = pycolmap.incremental_mapping(database, images, str(work), options)
    shutil.rmtree(work)
    return sorted(models.values(), key=lambda m: m.num_reg_images(), reverse=True)


def _pieces(models: Sequence[Any], database: str) -> list[Piece]:
    with load_pycolmap().Database.open(database) as db:
        pieces = [piece for model in models for piece in pieces_of(model, db)]
    return sorted(pieces, key=lambda piece: len(piece.world_from_cam), reverse=True)


def _largest(pieces: Sequence[Piece]) -> int:
    return len(pieces[0].world_from_cam) if pieces else 0


def _across_borders(pieces: Sequence[Piece], sequences: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """Pairs near in time whose images are not in one piece."""
    piece_of = {name: number for number, piece in enumerate(pieces) for name in piece.world_from_cam}
    return [
        (first, second)
        for sequence in sequences
        for at, first in enumerate(sequence)
        for second in sequence[at + 1 : at + 1 + BORDER_NEIGHBOURS]
        if first not in piece_of or piece_of[first] != piece_of.get(second)
    ]


def _joined_model(images: str, database: str, model: Path, largest: Piece, poses: dict[str, Pose]) -> Any:
    """Landmarks of all pieces, triangulated from the poses in one frame, and everything adjusted."""
    work = model.with_suffix(".triangulated")
    work.mkdir(parents=True, exist_ok=True)
    with load_pycolmap().Database.open(database) as db:
        for camera in largest.model.cameras.values():
            db.update_camera(camera)  # as the largest piece has refined it
        rows = {name: [*pose.translation, *pose.quat_xyzw] for name, pose in poses.items()}
        whole = triangulated(posed_model(db, rows), database, images, work)
    shutil.rmtree(work)
    adjust(whole)
    _drop_outliers(whole)
    return whole


def _drop_outliers(model: Any) -> None:
    load_pycolmap().ObservationManager(model).filter_all_points3D(MAX_REPROJECTION_PX, MIN_ANGLE_DEG)
    model.update_point_3d_errors()


def _explain_failure(database: str, models: Sequence[Any]) -> None:
    """Why there is no usable model, from what the database holds."""
    pycolmap = load_pycolmap()
    with pycolmap.Database.open(database) as db:
        verified = verified_pairs(db)
        _, geometries = db.read_two_view_geometries()
        frames = db.num_images()
    if len(verified) < max(3, frames // 4):
        raise MappingError(
            f"matching: only {len(verified)} pairs among {frames} frames share {MIN_INLIER_MATCHES} or more features: "
            "the frames do not overlap. Record a continuous walk, slowly, or extract at a higher --fps"
        )
    geometry_types = pycolmap.TwoViewGeometryConfiguration
    flat = (geometry_types.PLANAR, geometry_types.PANORAMIC, geometry_types.PLANAR_OR_PANORAMIC)
    rotating = sum(geometry.config in flat for geometry in geometries) / max(1, len(geometries))
    best = f"the largest model holds {models[0].num_reg_images()} frames" if models else "no model came out"
    raise MappingError(
        f"mapping: {best} of {frames}; {rotating:.0%} of the frame pairs are explained by rotation or one plane alone. "
        "The camera turned on the spot or looked at a bare wall: record while walking, with things at several depths"
    )
