"""All that a scene and a person hold about its metric frame, in the order in which it is trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from campose_core.alignment.evidence import Evidence, Level, angle_deg
from campose_core.alignment.sources.base import AlignmentSource, Borrowed, MappedScene, Part
from campose_core.errors import AlignmentError, CamposeError
from campose_core.joining.wrong_unit import refuse_wrong_unit
from campose_core.landmark_map.levelling import level

WALLS = "walls and floors"
MIN_PLANES = 2
PLANES_DEG, POSTURE_DEG = 1.0, 2.0  # how well walls and floors, and the posture of cameras, tell up
SAME_DEG = 5.0  # two ups that differ by less see the same floor


@dataclass(frozen=True, eq=False)
class Gathered:
    """evidence: in the order of trust. asked: names of the evidence that a person asked for, with `--from` or by hand.

    level: None where nothing tells which way is up. refusals: one line for each source that is there and cannot be
    used. by_hand: whether a person gave some of the evidence.
    """

    evidence: list[Evidence]
    asked: frozenset[str]
    level: Level | None
    refusals: list[str]
    by_hand: bool


def gather(mapped: MappedScene, sources: Mapping[str, AlignmentSource]) -> Gathered:
    """Ask every source: first those that stand alone, then those that need a level, then those that need a scale.

    sources: by name, in the order of trust.

    Raises:
        CamposeError: what was given by hand cannot be used.
        AlignmentError: what was asked for with `--from` is not there, or cannot be used.
    """
    gathering = _Gathering(mapped, sources)
    gathering.ask(None, Borrowed())
    seen = _level_seen(mapped, gathering.refusals)
    best_level = _best_level(gathering.lent(Part.LEVEL), seen)
    gathering.ask(Part.LEVEL, Borrowed(best_level))
    scale = next((evidence.scale for evidence in gathering.lent(Part.SCALE) if evidence.scale is not None), None)
    gathering.ask(Part.SCALE, Borrowed(best_level, scale))
    evidence = [one for kind in sources for one in gathering.found.get(kind, [])]
    if seen is not None and seen.method == WALLS:
        evidence.append(Evidence(WALLS, up=seen.up, up_deg=seen.up_deg))
    by_hand = any(sources[kind].by_hand for kind, found in gathering.found.items() if found)
    return Gathered(evidence, frozenset(gathering.asked), best_level, gathering.refusals, by_hand)


class _Gathering:
    """What was found so far."""

    def __init__(self, mapped: MappedScene, sources: Mapping[str, AlignmentSource]) -> None:
        self._mapped, self._sources = mapped, sources
        self.found: dict[str, list[Evidence]] = {}
        self.asked: set[str] = set()
        self.refusals = [
            f"{source['path']} of {name} is not there any more"
            for name, source in mapped.scene.sources.items()
            if source.get("path") and not Path(source["path"]).exists()
        ]

    def ask(self, needs: Part | None, borrowed: Borrowed) -> None:
        """Ask the sources that need this part, or no part."""
        for kind, source in self._sources.items():
            if source.needs is needs:
                self.found[kind] = self._given(source, borrowed) if source.by_hand else self._there(kind, borrowed)

    def lent(self, part: Part) -> list[Evidence]:
        """List the evidence that lends a part, the best first."""
        lenders = [kind for kind, source in self._sources.items() if part in source.lends]
        return [evidence for kind in reversed(lenders) for evidence in self.found.get(kind, [])]

    def _given(self, source: AlignmentSource, borrowed: Borrowed) -> list[Evidence]:
        found = [source.evidence(name, borrowed) for name in source.names()]
        for evidence in found:
            if evidence.scale is not None:
                refuse_wrong_unit(self._mapped.scene, self._mapped.poses, evidence.name, evidence.scale)
        self.asked |= {evidence.name for evidence in found}
        return found

    def _there(self, kind: str, borrowed: Borrowed) -> list[Evidence]:
        """Of what is there, and of what was named; only what was asked for has to be there, and to be of use."""
        source, wanted = self._sources[kind], self._mapped.request.topics_of(kind)
        named = [topic for topic in wanted if topic is not None]
        absent = [topic for topic in named if not source.has(topic)]
        try:
            there = source.names()
        except CamposeError as error:
            self.refusals.append(f"{kind}: {error}")
            there = []
        if absent or (wanted and not named and not there):
            what = " ".join([kind, *absent[:1]])
            raise AlignmentError(f"the recordings of {self._mapped.scene.path} hold no {what} ({source.what})")
        found = []
        for name in dict.fromkeys([*named, *there]):
            try:
                evidence = source.evidence(name, borrowed)
            except CamposeError as error:
                if name in named or (wanted and not named):
                    raise AlignmentError(f"{kind}: {error}") from error
                self.refusals.append(f"{kind}: {error}")
                continue
            found.append(evidence)
            if name in named or None in wanted:
                self.asked.add(evidence.name)
        return found


def _level_seen(mapped: MappedScene, refusals: list[str]) -> Level | None:
    """By walls and floors; else by how the cameras were held; None where neither tells."""
    if mapped.landmarks is None:
        return None
    try:
        seen = level(mapped.landmarks)
    except AlignmentError as error:
        refusals.append(f"level: {error}")
        return None
    if seen.level_deg is None or seen.planes < MIN_PLANES:
        return Level("the cameras' posture", seen.up, POSTURE_DEG, seen.floor)
    return Level(WALLS, seen.up, max(PLANES_DEG, seen.level_deg), seen.floor)


def _best_level(sensed: Sequence[Evidence], seen: Level | None) -> Level | None:
    """Choose a sensor's, with the floor that was seen; else what was seen."""
    for one in sensed:
        if one.up is not None:
            same = seen is not None and angle_deg(one.up, seen.up) < SAME_DEG
            return Level(one.name, one.up, one.up_deg, seen.floor if seen and same else None)
    return seen
