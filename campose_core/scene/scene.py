"""The scene: one mapped place as a folder on disk.

    SCENE/
      scene.yaml        name, cameras, sources, alignment (map_from_sfm), finished steps, package versions
      frames/SOURCE/*.jpg
      frames.csv        name,source,stamp_ns,camera,split,x,y,z,qx,qy,qz,qw   (pose = map_from_cam, empty when unknown)
      sfm/              model/ (COLMAP, sfm frame), database.db, landmarks.npz, held_out.npz
      floor/            map.yaml, map.pgm
      models/NAME/      weights.safetensors, model.yaml
      reports/

Every step reads and writes only this folder, one at a time (`campose_core.scene.step`). A finished step is recorded
with its options and a key that also covers the steps before it, so that a second run skips what is done and redoes what
its options, or a step before it, changed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from campose_core.camera import Camera
from campose_core.errors import CamposeError, SceneError, in_words
from campose_core.files import check_format
from campose_core.map_scale import UNKNOWN, MapScale
from campose_core.rig import Rig
from campose_core.scene.alignment import Alignment
from campose_core.scene.exchange import current
from campose_core.scene.files import SceneFiles
from campose_core.scene.frames_table import SceneFrame, frames_text, read_frames
from campose_core.scene.names import check_key, check_name
from campose_core.trajectory import Trajectory
from campose_core.yaml_files import parse_yaml, yaml_text

FORMAT = 1
# What each step is built on; `train:NAME` stands on `split`.
UPSTREAM = {"extract": None, "map": "extract", "align": "map", "split": "align", "train": "split", "floor": None}


@dataclass(frozen=True)
class Scene:
    """A scene folder as it stood when it was opened; `save` writes a changed copy back.

    sources: SOURCE -> what it was extracted from. cameras: name -> Camera; a source's camera has the source's name.
    Mapping refines the cameras; `given_camera` of a source is then what it had before.
    rigs: by the source of their first camera; the cameras of a rig are sources.
    steps: step -> {options, key}, see `is_done`.
    """

    path: Path
    name: str
    cameras: dict[str, Camera] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    alignment: Alignment | None = None
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    frames: tuple[SceneFrame, ...] = ()
    rigs: dict[str, Rig] = field(default_factory=dict)
    _files: SceneFiles = field(default_factory=SceneFiles, compare=False, repr=False)

    @property
    def scale(self) -> MapScale:
        """Return what the metres of its poses rest on; without an alignment there are none."""
        return UNKNOWN if self.alignment is None else self.alignment.scale

    @property
    def frames_dir(self) -> Path:
        """Return the folder of the images, below which frames have their names."""
        return self.path / "frames"

    @property
    def sfm_dir(self) -> Path:
        """Return the folder of the reconstruction and its landmarks."""
        return current(self.path, "sfm")

    @property
    def floor_yaml(self) -> Path:
        """Return the place of the floor map, which need not be there."""
        return current(self.path, "floor/map.yaml")

    @property
    def models_dir(self) -> Path:
        """Return the folder of trained models."""
        return current(self.path, "models")

    @property
    def reports_dir(self) -> Path:
        """Return the folder of reports for people."""
        return self.path / "reports"

    @classmethod
    def open(cls, path: Path | str) -> Scene:
        """Read a scene folder.

        Raises:
            SceneError: not a scene folder, or scene.yaml or frames.csv is damaged (the place is named), or an
                extraction was killed before it had recorded its source.
        """
        return cls._open(path, unrecorded=False)

    @classmethod
    def _open(cls, path: Path | str, unrecorded: bool) -> Scene:
        """unrecorded: whether to leave out frames of sources that scene.yaml does not know, which else are refused."""
        path, files = Path(path), SceneFiles()
        header_path = path / "scene.yaml"
        if not _has_header(path):
            if path.is_file():
                raise SceneError(
                    f"{path} is a file: a scene is the folder that `campose build SOURCE --scene DIR` makes"
                )
            raise SceneError(
                f"{path} is not a scene (no scene.yaml): make one with `campose build SOURCE --scene {path}`"
            )
        try:
            header_bytes, frames_bytes = files.read(path)
            header = parse_yaml(header_bytes, str(header_path), SceneError)
            check_format(header_path, header.get("format") if isinstance(header, dict) else None, FORMAT, SceneError)
            alignment = header.get("alignment")
            for name in (*header["cameras"], *header["sources"], *header.get("rigs", {})):
                check_key(name, str(header_path))
            scene = cls(
                path=path,
                name=str(header["name"]),
                cameras={name: Camera.from_dict(fields) for name, fields in header["cameras"].items()},
                sources={name: dict(fields) for name, fields in header["sources"].items()},
                alignment=Alignment.from_dict(alignment) if alignment else None,
                steps={n: {"options": dict(r["options"]), "key": str(r["key"])} for n, r in header["steps"].items()},
                frames=tuple(
                    read_frames(path / "frames.csv", frames_bytes, header["cameras"], header["sources"], unrecorded)
                ),
                rigs={name: Rig.from_dict(fields) for name, fields in header.get("rigs", {}).items()},
                _files=files,
            )
            _check_complete(scene)
            return scene
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError, OSError) as error:
            raise SceneError(f"{header_path} is damaged: {in_words(error)}") from error
        except SceneError:
            raise
        except CamposeError as error:
            raise SceneError(f"{header_path} is damaged: {error}") from error

    @classmethod
    def open_or_create(cls, path: Path | str) -> Scene:
        """Read the scene at `path`, or make a new empty one (nothing is written before `save`).

        Raises:
            SceneError: the folder holds other things and no scene.yaml.
        """
        path = Path(path)
        if _has_header(path):
            return cls._open(path, unrecorded=True)
        left_by_a_killed_extraction = {"frames", "frames.csv"}
        if path.is_symlink() and not path.exists():
            raise SceneError(f"{path} is a link that leads nowhere: remove it, or choose another folder")
        if path.exists() and not path.is_dir():
            raise SceneError(f"{path} is a file: a scene is a folder")
        strangers = {p.name for p in path.glob("[!.]*")} - left_by_a_killed_extraction
        if strangers:
            raise SceneError(f"{path} holds {sorted(strangers)[0]!r} and no scene.yaml: choose a new or empty folder")
        scene = cls(path=path, name=path.resolve().name)
        scene._files.expect_none(path)
        return scene

    def writing(self, *names: str) -> AbstractContextManager[None]:
        """Be its one writer for a block, which writes to `names` in its folder; see `SceneFiles.writing`."""
        return self._files.writing(self.path, *names)

    def save(self, *prepared: Path) -> None:
        """Write frames.csv and scene.yaml, and move folders that are `prepared` in it to their names: all, or nothing.

        Raises:
            SceneError: another process writes the scene, or did since it was opened; or a name could not be read back.
        """
        for frame in self.frames:
            check_name(frame.name, f"{self.path}: frame")
            check_key(frame.source, f"{self.path}: source")
        header = {
            "format": FORMAT,
            "name": self.name,
            "cameras": {name: camera.to_dict() for name, camera in self.cameras.items()},
            "sources": self.sources,
            "alignment": self.alignment.to_dict() if self.alignment else None,
            "steps": self.steps,
            **({"rigs": {name: rig.to_dict() for name, rig in self.rigs.items()}} if self.rigs else {}),
            "versions": _versions(),
        }
        self._files.write(self.path, yaml_text(header), frames_text(self.frames), *prepared)

    def is_done(self, step: str, options: dict[str, Any]) -> bool:
        """Tell whether `step` was finished with these options on top of the present results of the steps before it."""
        record = self.steps.get(step)
        return record is not None and record["key"] == self._key(step, options)

    def is_current(self, step: str) -> bool:
        """Tell whether `step` was finished, with any options, on top of the present results of the steps before it."""
        return step in self.steps and self.is_done(step, self.steps[step]["options"])

    def without_step(self, step: str, **changes: Any) -> Scene:
        """Return a copy with `changes` in which `step` has yet to be done: to save before its files are replaced."""
        return replace(self, steps={name: record for name, record in self.steps.items() if name != step}, **changes)

    def with_step(self, step: str, options: dict[str, Any], **changes: Any) -> Scene:
        """Return a copy with `changes` in which `step` counts as finished."""
        record = {"options": options, "key": self._key(step, options)}
        return replace(self, steps={**self.steps, step: record}, **changes)

    def _key(self, step: str, options: dict[str, Any]) -> str:
        upstream = UPSTREAM[step.split(":")[0]]
        before = sorted((n, r["key"]) for n, r in self.steps.items() if upstream and n.split(":")[0] == upstream)
        return hashlib.sha256(json.dumps([step, options, before], sort_keys=True).encode()).hexdigest()[:16]

    def frame_path(self, frame: SceneFrame) -> Path:
        """Return where a frame's image is on disk; raise SceneError for a pipe, which its reader would wait for."""
        path = current(self.path, f"frames/{frame.name}")
        if path.exists() and not path.is_file():
            raise SceneError(f"{path} is no file: extract the frames of {frame.source!r} again")
        return path

    def posed_frames(self, split: str | None = None) -> list[SceneFrame]:
        """Return frames with a pose, of one split or of all, in the order of frames.csv."""
        return [f for f in self.frames if f.map_from_cam is not None and split in (None, f.split)]

    def trajectory(self, source: str) -> Trajectory:
        """Return the poses map_from_cam of one source's registered frames."""
        frames = [f for f in self.posed_frames() if f.source == source]
        return Trajectory.from_poses([f.stamp_ns for f in frames], [f.map_from_cam for f in frames if f.map_from_cam])


def _has_header(path: Path) -> bool:
    try:
        return current(path, "scene.yaml").is_file()
    except OSError as error:  # longer than a name can be, or not to be looked into
        raise SceneError(f"{str(path)[:200]}: no scene can be opened here: {error.strerror}") from error


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("campose_ros", "numpy", "scipy", "pycolmap", "torch"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _check_complete(scene: Scene) -> None:
    """Refuse a frames.csv that ends after a whole row, and lacks others."""
    found, path = Counter(frame.source for frame in scene.frames), scene.path / "frames.csv"
    for name, fields in scene.sources.items():
        wanted = fields.get("frames", 0)
        if isinstance(wanted, int) and found[name] < wanted:
            raise SceneError(
                f"{path} has {found[name]} of the {wanted} frames of {name}: it was cut off, copy it again"
            )
