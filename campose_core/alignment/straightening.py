"""A map that is bent against the reference that it is aligned by is put straight first, see `joining.straightening`."""

from __future__ import annotations

import logging
import shutil

from campose_core.alignment.sources.base import MappedScene
from campose_core.alignment.sources.reference import aligned_to_reference
from campose_core.geometry import Pose, Similarity
from campose_core.joining.straightening import Straightened, straightened
from campose_core.joining.wrong_unit import refuse_wrong_unit
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.sfm.report import MapReport
from campose_core.sfm.stage_process import run_stage
from campose_core.sfm.straight_map import STAGE_TIMEOUT_S, WORK, exchange_map
from campose_core.sfm.triangulation import PRIOR_M

log = logging.getLogger(__name__)


def put_straight(mapped: MappedScene) -> MappedScene:
    """Return what to align: with a map that was put straight, where the reference shows that it is bent.

    Raises:
        AlignmentError: the reference cannot be used. MappingError: a stage failed, or a file of the map is damaged.
    """
    scene, request = mapped.scene, mapped.request
    has_model = (scene.sfm_dir / "model").is_dir() and (scene.sfm_dir / "database.db").is_file()
    if request.reference is None or scene.rigs or not has_model:
        return mapped
    known, alignment = aligned_to_reference(mapped)
    refuse_wrong_unit(scene, mapped.poses, f"reference {request.reference.name}", alignment.map_from_sfm.scale)
    if (alignment.residual.p95_m or 0.0) <= PRIOR_M:
        return mapped
    report, work = MapReport.load(scene), scene.sfm_dir / WORK
    shutil.rmtree(work, ignore_errors=True)
    (work / "model").mkdir(parents=True)
    try:
        found = _adjusted(scene, report, alignment.map_from_sfm, known)
        if not found.helps:
            return mapped
        before_cm, after_cm = (100 * alignment.map_from_sfm.scale * off for off in (found.before, found.after))
        log.info(
            f"align: the map was bent: {before_cm:.3g} cm from the reference in the median, {after_cm:.3g} cm once its "
            f"positions count; images are explained to {found.free_px:.2f} px without, {found.held_px:.2f} px with them"
        )
        return MappedScene(exchange_map(scene, report, found.cameras), request)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _adjusted(
    scene: Scene, report: MapReport, map_from_sfm: Similarity, known: list[tuple[SceneFrame, Pose]]
) -> Straightened:
    work, sfm_from_map = scene.sfm_dir / WORK, map_from_sfm.inverse()
    arguments = {
        "model": str(scene.sfm_dir / "model"),
        "positions": {frame.name: [*map(float, sfm_from_map.transform(pose.translation))] for frame, pose in known},
        "sigma": PRIOR_M * sfm_from_map.scale,
        "switches": report.lens_switches or [],
        "guessed": not any(scene.sources[frame.source].get("calibrated", True) for frame, _ in known),
        "out": str(work / "model"),
    }
    return Straightened(**run_stage(straightened, arguments, work / "straightened.log", STAGE_TIMEOUT_S, len(known)))
