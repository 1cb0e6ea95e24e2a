"""The floor map of a scene: where it came from, and whether poses may be moved to it."""

from __future__ import annotations

from campose_core.map_scale import ScaleBasis
from campose_core.scene.scene import Scene
from campose_core.walkable import WalkableMap, load_walkable


def has_own_floor(scene: Scene) -> bool:
    """Tell whether a scene's floor map was made out of its own landmarks."""
    return scene.floor_yaml.is_file() and "landmarks" in scene.steps.get("floor", {}).get("options", {})


def has_floor_plan(scene: Scene) -> bool:
    """Tell whether a scene has a floor map that was not made out of its own landmarks, which would confirm anything."""
    return scene.floor_yaml.is_file() and not has_own_floor(scene)


def why_not_snapped(scene: Scene) -> str:
    """Say why a scene's poses are not moved to its floor map; empty where they are, or where it has none.

    A map whose scale was not measured does not lie where a given floor plan lies, and one of unknown scale is in other
    units than any floor map.
    """
    if scene.alignment is None or not scene.floor_yaml.is_file() or scene.scale.basis is ScaleBasis.MEASURED:
        return ""
    if scene.scale.is_known and has_own_floor(scene):
        return ""
    words = scene.scale.in_words()
    return f"{words}: nothing has shown where in the map the floor map lies, so poses are not snapped to it"


def walkable_of(scene: Scene) -> WalkableMap | None:
    """Return the floor that poses are moved to; None where there is none, or where it is not where the poses are.

    Raises:
        FloorError: the floor map is damaged, or nothing is walkable.
    """
    return None if why_not_snapped(scene) else load_walkable(scene.floor_yaml.parent)
