"""Which kinds of pose networks there are, by name; docs/extend/network.md adds one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from campose_core.errors import LearningError
from campose_core.seams.seam import Seam

if TYPE_CHECKING:
    from campose_core.learning.kinds.base import NetworkKind

MENET = "menet"  # the kind that tells motions, and the name under which a scene keeps its own
HERE = "campose_core.learning.kinds"
NETWORKS: Seam[type[NetworkKind]] = Seam(
    "networks",
    {
        "posenet": f"{HERE}.posenet:PoseNet",
        "linear": f"{HERE}.linear:LinearPoseNet",
        "mapnet": f"{HERE}.mapnet:MapNet",
        "mapnet+": f"{HERE}.mapnet:MapNetPlus",
        MENET: f"{HERE}.menet:MeNet",
    },
    LearningError,
    members=("check", "trains_backbone", "architecture", "encoder", "rows", "judged_rows", "answers", "set_unit"),
)


def kind_of_model(name: str) -> str | None:
    """Return the kind that a model's name begins with, the longest of several: `mapnet+` begins with `mapnet`."""
    kinds = [kind for kind in NETWORKS.names() if name.startswith(kind)]
    return max(kinds, key=len, default=None)
