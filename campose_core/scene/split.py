"""Which frames a network learns from, which choose among its checkpoints, and which judge it.

Neighbouring frames of a video are nearly equal: where they fall into different splits, the test measures memory. So
the default cuts each recording into contiguous stretches; the interleaved split exists to reproduce results published
with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from campose_core.errors import SceneError
from campose_core.scene.frames_table import SPLITS, SceneFrame
from campose_core.scene.scene import Scene
from campose_core.scene.step import writes

Scheme = Literal["contiguous", "interleaved", "source"]
# A val and a test stretch per so many frames of a recording, so that both see more than one corner of the place, and
# no stretch is longer than what a network can fill in: of 28 frames in a row (a turn and two metres) it knows nothing,
# and which of two epochs knows less says nothing.
FRAMES_PER_CUT = 60


@dataclass(frozen=True)
class SplitOptions:
    """How frames with a pose are divided; frames without one belong to no split.

    contiguous: each recording is cut into parts of about 60 frames, and each part into train, val, train, test.
    interleaved: the frame's index in its recording modulo 3 (train, val, test).
    source: whole recordings: those of val_sources and of test_sources, and train with the rest.

    Args:
        scheme: contiguous, interleaved or source
        val: fraction of the frames that choose among checkpoints (contiguous)
        test: fraction of the frames that are never trained on (contiguous)
        val_sources: recordings for val (source)
        test_sources: recordings for test (source)
    """

    scheme: Scheme = "contiguous"
    val: float = 0.15
    test: float = 0.15
    val_sources: tuple[str, ...] = ()
    test_sources: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return the fields as the step records them."""
        sources = {"val_sources": list(self.val_sources), "test_sources": list(self.test_sources)}
        return {"scheme": self.scheme, "val": self.val, "test": self.test, **sources}


@writes()
def split(scene: Scene, options: SplitOptions | None = None) -> Scene:
    """Give each frame that has a pose a split; returns the scene, saved, with the step recorded.

    Raises:
        SceneError: no frame has a pose, the options do not fit the scene, or nothing would be left to train on.
    """
    options = options or SplitOptions()
    if scene.is_done("split", options.to_dict()):
        return scene
    posed = scene.posed_frames()
    if not posed:
        raise SceneError(f"{scene.path}: no frame has a pose: run `campose map {scene.path}` first")
    by_source: dict[str, list[SceneFrame]] = {}
    for frame in sorted(posed, key=lambda frame: frame.stamp_ns):
        by_source.setdefault(frame.source, []).append(frame)

    split_of: dict[str, str] = {}
    if options.scheme == "source":
        splits = _of_sources(scene, list(by_source), options)
        split_of = {frame.name: splits[frame.source] for frame in posed}
    else:
        for frames in by_source.values():
            labels = _contiguous(len(frames), options) if options.scheme == "contiguous" else _interleaved(len(frames))
            split_of.update((frame.name, label) for frame, label in zip(frames, labels, strict=True))
    if "train" not in split_of.values():
        raise SceneError(f"{scene.path}: the split {options.to_dict()} leaves no frame to train on")

    frames_with_split = tuple(replace(frame, split=split_of.get(frame.name, "")) for frame in scene.frames)
    scene = scene.with_step("split", options.to_dict(), frames=frames_with_split)
    scene.save()
    return scene


def counts(scene: Scene) -> dict[str, int]:
    """Count the frames with a pose per split."""
    found = Counter(frame.split for frame in scene.posed_frames())
    return {name: found[name] for name in SPLITS}


def _contiguous(count: int, options: SplitOptions) -> list[str]:
    if not (options.val >= 0 and options.test >= 0 and options.val + options.test < 1):
        raise SceneError(
            f"val and test must be fractions with something left to train on: val={options.val}, test={options.test}"
        )
    train = 1 - options.val - options.test
    parts = max(1, round(count / FRAMES_PER_CUT))
    labels: list[str] = []
    for part in range(parts):
        # Rounding the running end of each stretch, not its length, keeps the sum exact.
        end = float(part)
        for label, share in (("train", train / 2), ("val", options.val), ("train", train / 2), ("test", options.test)):
            end += share
            labels += [label] * (round(end * count / parts) - len(labels))
    return labels


def _interleaved(count: int) -> list[str]:
    return [SPLITS[index % len(SPLITS)] for index in range(count)]


def _of_sources(scene: Scene, known: Sequence[str], options: SplitOptions) -> dict[str, str]:
    named = [*options.val_sources, *options.test_sources]
    strangers = [source for source in named if source not in known]
    if strangers or not named or len(set(named)) < len(named):
        problem = f"no frame with a pose comes from {strangers[0]!r}" if strangers else "name each of them once"
        raise SceneError(
            f"{scene.path}: the scheme 'source' needs the recordings for val and test: {problem}; "
            f"recordings: {', '.join(known)}"
        )
    return {
        source: "val" if source in options.val_sources else "test" if source in options.test_sources else "train"
        for source in known
    }
