"""The alignment sources by name, in the order in which they are trusted."""

from __future__ import annotations

from campose_core.alignment.sources.base import AlignmentSource, MappedScene
from campose_core.errors import AlignmentError
from campose_core.seams.seam import Seam

SOURCES: Seam[type[AlignmentSource]] = Seam(
    "alignment_sources",
    {
        "reference": "campose_core.alignment.sources.reference:Reference",
        "tracker": "campose_core.alignment.sources.tracker:Tracker",
        "points": "campose_core.alignment.sources.points:Points",
        "markers": "campose_core.alignment.sources.markers:PrintedMarkers",
        "distance": "campose_core.alignment.sources.distance:KnownDistance",
        "given_poses": "campose_core.alignment.sources.given_poses:MappedFromPoses",
        "exported": "campose_core.alignment.sources.exported_poses:ExportedPoses",
        "poses": "campose_core.alignment.sources.pose_topic:PoseTopic",
        "tf": "campose_core.alignment.sources.tf:TransformRoot",
        "floor": "campose_core.alignment.sources.floor_plan:FloorPlan",
        "gps": "campose_core.alignment.sources.gps:Gps",
        "odometry": "campose_core.alignment.sources.odometry:Odometry",
        "gravity": "campose_core.alignment.sources.imu_gravity:ImuGravity",
    },
    AlignmentError,
    members=("what", "by_hand", "needs", "lends", "names", "has", "evidence", "inputs"),
)


def sources_of(mapped: MappedScene) -> dict[str, AlignmentSource]:
    """Return every source of a scene by name, in the order of trust.

    Raises:
        PluginError: a source of another package cannot be loaded.
    """
    return {name: SOURCES.load(name)(mapped) for name in SOURCES.names()}


def recorded_kinds() -> dict[str, str]:
    """Return the kinds that `--from` takes, each with what the recordings must hold."""
    loaded = {name: SOURCES.load(name) for name in SOURCES.names()}
    return {name: source.what for name, source in loaded.items() if source.what}
