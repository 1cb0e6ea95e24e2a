"""What every alignment source is, and what it may look at. docs/extend/alignment_source.md says how to add one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, ClassVar

from campose_core.alignment.evidence import Evidence, Level
from campose_core.alignment.request import AlignRequest
from campose_core.capture.external_poses import read_reference
from campose_core.capture.mapped_recordings import MappedRecording, image_topic_of, mapped_recordings
from campose_core.geometry import Array, Pose, positions_of
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.scene.scene import Scene
from campose_core.sfm.registration import SfmPoses
from campose_core.trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class MappedScene:
    """A scene that structure from motion has placed in a frame of its own, sfm, and what was asked of its alignment.

    Nothing is read before it is looked at, and everything once.
    """

    scene: Scene
    request: AlignRequest

    @cached_property
    def poses(self) -> dict[str, Pose]:
        """Return sfm_from_cam by name of the registered frames.

        Raises:
            MappingError: the scene is not mapped, or the file is damaged.
        """
        return SfmPoses.load(self.scene).poses()

    @cached_property
    def path_sfm(self) -> Array:
        """Return the positions (N, 3) of the registered frames, in sfm."""
        return positions_of(self.poses.values())

    @cached_property
    def recordings(self) -> list[MappedRecording]:
        """Return those that are still where they were."""
        return mapped_recordings(self.scene, self.poses)

    @cached_property
    def reference(self) -> Trajectory:
        """Return the map_from_cam that was asked for, see `read_reference`."""
        assert self.request.reference is not None
        return read_reference(self.request.reference, image_topic_of(self.scene, self.request.source))

    @cached_property
    def landmarks(self) -> Landmarks | None:
        """Return them in sfm; None where the scene has none."""
        path = self.scene.sfm_dir / "landmarks.npz"
        return Landmarks.load(path) if path.is_file() else None


class Part(Enum):
    """A part of the metric frame that one source may need and another one lend."""

    LEVEL = "level"
    SCALE = "scale"


@dataclass(frozen=True, eq=False)
class Borrowed:
    """What is known by the time a source is asked; None where nothing tells. scale: metres per unit of sfm."""

    level: Level | None = None
    scale: float | None = None


class AlignmentSource(ABC):
    """Something that says how a reconstruction lies in the metric frame of a map.

    what: what the recordings must hold, for people: the kind can then be named with `--from`; empty for a source that
    has an option of its own, or none. by_hand: a person gave it, so that it is asked for wherever it is there.
    needs: the part that another source has to lend; a source that needs none is asked first. lends: the parts that
    others may borrow; of several lenders the last one in the table lends, whose sensor measures that part itself.
    """

    what: ClassVar[str] = ""
    by_hand: ClassVar[bool] = False
    needs: ClassVar[Part | None] = None
    lends: ClassVar[frozenset[Part]] = frozenset()

    def __init__(self, mapped: MappedScene) -> None:
        self.mapped = mapped

    @abstractmethod
    def names(self) -> list[str]:
        """List what there is to believe (topics, frames, files); empty where there is nothing.

        Raises:
            CamposeError: a recording cannot be read.
        """

    def has(self, name: str) -> bool:
        """Tell whether `name`, which a person asked for, is there, also where `names` would not list it."""
        return name in self.names()

    @abstractmethod
    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        """Give what one of them says.

        Raises:
            CamposeError: it cannot be used; one line that says why.
        """

    def inputs(self) -> dict[str, Any]:
        """Give what else the evidence depends on, beside recordings and request; for the record of the step."""
        return {}
