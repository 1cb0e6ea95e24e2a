"""The floor map of a scene: walls to walls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from campose_core.alignment.evidence import Evidence, evidence_of_poses
from campose_core.alignment.floor_matching.refine import align_to_floor
from campose_core.alignment.request import AlignRequest
from campose_core.alignment.sources.base import AlignmentSource, Borrowed, Part
from campose_core.floor import FloorMap
from campose_core.floorplan.scene_floor import has_floor_plan
from campose_core.map_scale import MEASURED
from campose_core.scene.alignment import Alignment

NAME = "floor plan"


class FloorPlan(AlignmentSource):
    """A floor map that was not made from the recording itself. A known scale narrows the search."""

    what = "the floor map of the scene, unless it was made from the recording"
    needs = Part.SCALE

    def names(self) -> list[str]:
        there = has_floor_plan(self.mapped.scene) and self.mapped.landmarks is not None
        return ["plan"] if there else []

    def has(self, name: str) -> bool:
        return False  # a scene has one floor map, which has no name

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        landmarks, floor = self.mapped.landmarks, FloorMap.load(self.mapped.scene.floor_yaml)
        assert landmarks is not None
        height_m = self.mapped.request.camera_height_m
        scale = self._measured_before() if borrowed.scale is None else borrowed.scale
        similarity, residual = align_to_floor(landmarks, floor, scale, height_m)
        return evidence_of_poses(NAME, Alignment(similarity, NAME, residual), landmarks.frame_positions)

    def _measured_before(self) -> float | None:
        """Return the scale that something else has measured: a floor map that nobody asks for does not deny it."""
        scene = self.mapped.scene
        before = scene.alignment if scene.is_current("align") and scene.scale == MEASURED else None
        asked = replace(self.mapped.request, imu=None) != AlignRequest()
        return None if before is None or before.method == NAME or asked else before.map_from_sfm.scale

    def inputs(self) -> dict[str, Any]:
        scene = self.mapped.scene
        content = scene.steps.get("floor", {}).get("options", {}).get("content")
        return {"floor": content} if has_floor_plan(scene) else {}
