"""Poses that came with the images: of ARKit in the export of a capture app, or the ground truth of a data set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from campose_core.alignment.evidence import Evidence, sigma
from campose_core.alignment.sources.base import AlignmentSource, Borrowed
from campose_core.alignment.sources.recordings import evidence_of_pairs


class ExportedPoses(AlignmentSource):
    """The frame of the poses of an export: metric, so that a map needs no other reference.

    Its drift stays out of the map, which follows the pictures: the poses only place it, all of them together.
    """

    what = "the poses of a capture app's export or of a data set"

    def names(self) -> list[str]:
        exports = [recording.exported for recording in self.mapped.recordings]
        return sorted({exported.export.world_name for exported in exports if exported is not None})

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        pairs, programs = [], list[str]()
        level = says_unit = True
        for recording in self.mapped.recordings:
            exported = recording.exported
            if exported is not None and exported.export.world_name == name:
                pairs.append(recording.pairs(exported.trajectory(), exported.export.program))
                programs.append(exported.export.program)
                level, says_unit = exported.export.level, exported.export.says_unit
        found = evidence_of_pairs(f"poses of {programs[0]}", name, pairs)
        alignment = found.alignment
        assert alignment is not None
        off = alignment.residual
        notes = [
            f"{name}: the poses of {programs[0]} are {100 * sigma(off.median_m):.1f} cm / {sigma(off.median_deg):.2f} "
            f"deg off the pictures in the median, {100 * sigma(off.max_m):.1f} cm at most: the map follows the pictures"
        ]
        if not says_unit:
            notes.append(f"{name}: {programs[0]} names no unit, metres are taken: check a length with --distance")
        if not level:
            notes.append(f"{name}: z of {programs[0]} is not up: poses are in its frame, and not snapped to a floor")
            found = replace(found, up=None, up_deg=np.inf)
        alignment = replace(alignment, method=alignment.method.replace("reference", f"{programs[0]}'s"))
        return replace(found, alignment=alignment, notes=tuple(notes))
