"""A map that was made from given poses lies in the map frame from the start."""

from __future__ import annotations

import json

from campose_core.alignment.evidence import Evidence, evidence_of_poses
from campose_core.geometry import Array
from campose_core.scene import Scene
from campose_core.sfm.given_poses import METHOD, alignment_of_given


def given_evidence(scene: Scene, path_sfm: Array) -> list[Evidence]:
    """That a map from given poses lies in the map frame already; nothing of any other map."""
    if "poses" not in scene.steps["map"]["options"]:
        return []
    report = json.loads((scene.sfm_dir / "report.json").read_text(encoding="utf-8"))
    return [evidence_of_poses(METHOD, alignment_of_given(report), path_sfm)]
