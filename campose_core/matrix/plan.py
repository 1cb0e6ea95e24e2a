"""What is to be run: RUNS.yaml, checked, and the runs that it asks for.

    scenes:
      kitchen: kitchen                  a scene folder, which is only read
      tower:                            or one that is made first, in OUT/scenes: `campose` verbs in their order;
        steps: [build tower.mp4 --scene SCENE --reference tower.tum]
      tower-wide:                       `of` begins with a copy of another one, for a sweep of trainings
        of: tower
        steps: [split SCENE, train SCENE --model posenet --epochs 40]
    recordings:
      later:
        path: later.mp4                 as `campose localize` takes it, with `topic` and `camera` where needed
        reference: later.tum            true poses of the camera; without them answers are counted alone
        scenes: [kitchen]               where it is run; everywhere by default
        world: simulated                what `campose simulate` wrote, for fog and for looking back
    conditions:                         beside the recordings as they are; severities from 0 to 1
      night: [0.25, 0.5, 0.75, 1]
    estimators: [structure, retrieval, replay:structure]
    seeds: [0, 1]                       of what differs by chance; [0] by default

Paths start from the folder of RUNS.yaml. `replay:NAME` is the localizer of the node, with its memory, upon the
estimator NAME; NAME alone answers each image by itself.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from campose_core.capture.external_poses import reference_parts
from campose_core.errors import SceneError, UsageError
from campose_core.files import is_there
from campose_core.matrix.conditions.table import Condition
from campose_core.matrix.digests import digest_of
from campose_core.scene.names import check_key
from campose_core.yaml_files import read_yaml

REPLAY = "replay:"
SCENE = "SCENE"  # in a step, stands for the folder that it makes
MAKING = "making"  # beside the scenes that are made: their logs
MAX_RUNS = 1_000_000
KEYS = ("scenes", "recordings", "conditions", "estimators", "seeds")
RECORDING_KEYS = ("path", "reference", "scenes", "topic", "camera", "world")
Value = TypeVar("Value")


@dataclass(frozen=True)
class SceneSource:
    """A scene of the plan: the folder `path`, which is there, or `steps` that make it, on a copy of scene `of`.

    steps: words of a `campose` command each, among them SCENE.
    """

    name: str
    path: Path | None = None
    steps: tuple[tuple[str, ...], ...] = ()
    of: str | None = None


@dataclass(frozen=True)
class RecordingSource:
    """A recording of the plan. scenes: the names of those that it is run in; None is all."""

    name: str
    path: Path
    reference: Path | None = None
    scenes: tuple[str, ...] | None = None
    topic: str | None = None
    camera: Path | None = None
    world: Path | None = None


@dataclass(frozen=True)
class Run:
    """One estimator in one scene over one recording under one condition."""

    scene: str
    recording: str
    condition: Condition
    estimator: str
    seed: int

    @property
    def name(self) -> str:
        """Return what its folder and its row are called: words of a path, and a digest, which no two runs share."""
        said = (self.scene, self.recording, self.condition.name, f"{self.condition.severity:g}", self.estimator)
        words = "_".join(re.sub(r"[^A-Za-z0-9.-]+", "-", str(word)) for word in (*said, self.seed))
        return f"{words[:160]}_{digest_of([*said, self.seed])[:6]}"


@dataclass(frozen=True)
class Plan:
    """What is to be run.

    Raises:
        UsageError: something that is named is not there, or a condition lacks what it needs.
    """

    scenes: Mapping[str, SceneSource]
    recordings: Mapping[str, RecordingSource]
    conditions: tuple[Condition, ...] = (Condition(),)
    estimators: tuple[str, ...] = ("structure",)
    seeds: tuple[int, ...] = (0,)
    runs: tuple[Run, ...] = field(init=False)

    def __post_init__(self) -> None:
        for scene in self.scenes.values():
            _known(f"scenes: {scene.name}: of", [scene.of] if scene.of else [], self.scenes)
        order_of_making(self.scenes)
        for recording in self.recordings.values():
            _known(f"recordings: {recording.name}: scenes", recording.scenes or (), self.scenes)
            for condition in self.conditions:
                if condition.in_world and (recording.world is None or recording.reference is None):
                    raise UsageError(
                        f"the condition {condition.name} is drawn in a rendered world: give the recording "
                        f"{recording.name!r} its `world` (what `campose simulate` wrote) and its `reference`"
                    )
        pairs = sum(len(self.scenes if one.scenes is None else one.scenes) for one in self.recordings.values())
        seeds = sum(len(self.seeds) if condition.by_chance else 1 for condition in self.conditions)
        count = pairs * seeds * len(self.estimators)
        if count > MAX_RUNS:
            raise UsageError(f"{count} runs are more than anybody waits for: at most {MAX_RUNS}")
        object.__setattr__(self, "runs", tuple(self._all_runs()))

    def _all_runs(self) -> list[Run]:
        return [
            Run(scene, recording.name, condition, estimator, seed)
            for scene in self.scenes
            for recording in self.recordings.values()
            if recording.scenes is None or scene in recording.scenes
            for condition in self.conditions
            for estimator in self.estimators
            for seed in (self.seeds if condition.by_chance else self.seeds[:1])
        ]


def order_of_making(scenes: Mapping[str, SceneSource]) -> list[list[SceneSource]]:
    """Return the scenes that are made, in waves: those of a wave need only what waves before it made.

    Raises:
        UsageError: two scenes are copies of each other.
    """
    waiting = {name: scene for name, scene in scenes.items() if scene.steps}
    waves = []
    while waiting:
        wave = [scene for scene in waiting.values() if scene.of not in waiting]
        if not wave:
            raise UsageError(f"scenes: {', '.join(waiting)}: each is a copy of another one: give one its own steps")
        waves.append(wave)
        waiting = {name: scene for name, scene in waiting.items() if scene not in wave}
    return waves


def read_plan(path: Path) -> Plan:
    """Read RUNS.yaml.

    Raises:
        UsageError: it cannot be read, or something in it is not understood; file and key are named.
    """
    fields = _mapping(read_yaml(path, UsageError), f"{path}", KEYS)
    base = path.parent
    try:
        plan = Plan(
            scenes=_table(fields.get("scenes"), "scenes", lambda name, value: _scene(name, value, base)),
            recordings=_table(
                fields.get("recordings"), "recordings", lambda name, value: _recording(name, value, base)
            ),
            conditions=_conditions(fields.get("conditions")),
            estimators=tuple(_texts(fields.get("estimators", ["structure"]), "estimators")),
            seeds=_seeds(fields.get("seeds", [0])),
        )
        if not plan.runs:
            raise UsageError("there is nothing to run: no recording belongs to a scene")
        return plan
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _table(value: Any, key: str, make: Callable[[str, Any], Value]) -> dict[str, Value]:
    if not isinstance(value, dict) or not value:
        raise UsageError(f"{key} should be a table of names, such as `{key}: {{kitchen: ...}}`")
    for name in value:
        try:
            check_key(name, key)
        except SceneError as error:
            raise UsageError(f"{error}") from error
    return {name: make(name, entry) for name, entry in value.items()}


def _scene(name: str, value: Any, base: Path) -> SceneSource:
    where = f"scenes: {name}"
    if isinstance(value, str):
        folder = base / value
        if not is_there(folder / "scene.yaml"):
            raise UsageError(f"{where}: {folder} is no scene: build it, or give `steps` that do")
        return SceneSource(name, folder.resolve())
    if name == MAKING:
        raise UsageError(f"{where}: the folder of that name is for the logs of all others: give it another name")
    fields = _mapping(value, where, ("of", "steps"))
    steps = tuple(_words(step, where) for step in _texts(fields.get("steps"), f"{where}: steps"))
    for words in steps:
        if SCENE not in words:
            raise UsageError(f"{where}: the step {' '.join(words)!r} does not say where: write {SCENE} for the folder")
    of = fields.get("of")
    return SceneSource(name, None, tuple(_with_paths(words, base) for words in steps), None if of is None else str(of))


def _words(step: str, where: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(step))
    except ValueError as error:
        raise UsageError(f"{where}: the step {step!r} has a quotation mark or backslash without end") from error


def _with_paths(words: Sequence[str], base: Path) -> tuple[str, ...]:
    """Return a step that runs in any folder: what names a file beside RUNS.yaml is that file."""
    return tuple(str((base / word).resolve()) if word != SCENE and is_there(base / word) else word for word in words)


def _recording(name: str, value: Any, base: Path) -> RecordingSource:
    where = f"recordings: {name}"
    fields = _mapping({"path": value} if isinstance(value, str) else value, where, RECORDING_KEYS)
    if "path" not in fields:
        raise UsageError(f"{where}: `path` is missing")
    paths: dict[str, Path] = {}
    for key in ("path", "reference", "camera", "world"):
        if key in fields:
            [text] = _texts([fields[key]], f"{where}: {key}")
            paths[key] = (base / text).resolve()
            if not is_there(reference_parts(paths[key])[0]):
                raise UsageError(f"{where}: {key}: {paths[key]} is not there")
    return RecordingSource(
        name,
        paths["path"],
        paths.get("reference"),
        tuple(_texts(fields["scenes"], f"{where}: scenes")) if "scenes" in fields else None,
        _texts([fields["topic"]], f"{where}: topic")[0] if "topic" in fields else None,
        paths.get("camera"),
        paths.get("world"),
    )


def _conditions(value: Any) -> tuple[Condition, ...]:
    found = [Condition()]
    for name, severities in _mapping({} if value is None else value, "conditions").items():
        for severity in severities if isinstance(severities, list) else [severities]:
            if isinstance(severity, bool) or not isinstance(severity, (int, float)):
                raise UsageError(f"conditions: {name}: the severity {severity!r} is no number from 0 to 1")
            condition = Condition(str(name), float(severity))
            found += [condition] if condition.severity and condition not in found else []
    return tuple(found)


def _seeds(value: Any) -> tuple[int, ...]:
    seeds = value if isinstance(value, list) else [value]
    if not seeds or not all(type(seed) is int and 0 <= seed < 2**32 for seed in seeds):
        raise UsageError(f"seeds: {value!r} should be whole numbers from 0, such as [0, 1, 2]")
    return tuple(dict.fromkeys(seeds))


def _texts(value: Any, where: str) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise UsageError(f"{where}: {value!r} should be a text, or a list of texts")
    if any("\0" in text for text in texts):
        raise UsageError(f"{where}: {value!r} holds a NUL, which no file, topic or option has")
    return list(dict.fromkeys(texts))


def _mapping(value: Any, where: str, known: Sequence[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{where}: expected `name: value` lines")
    for key in value:
        if known is not None and key not in known:
            raise UsageError(f"{where}: {key!r} is not known; there are {', '.join(known)}")
    return value


def _known(where: str, names: Sequence[str], known: Mapping[str, Any]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(f"{where}: {name!r} is none of the scenes: {', '.join(known)}")
