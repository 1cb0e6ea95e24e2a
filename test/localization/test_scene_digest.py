"""The digest of a scene: the same for a copy, another for another map or another frame."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from campose_core.errors import MappingError
from campose_core.geometry import Similarity
from campose_core.landmark_map.arrays import read_arrays, write_arrays
from campose_core.localization.scene_digest import scene_digest
from campose_core.scene.alignment import Alignment
from campose_core.scene.scene import Scene


def scene_at(path: Path, xyz: float = 1.0) -> Scene:
    (path / "sfm").mkdir(parents=True)
    write_arrays(path / "sfm" / "landmarks.npz", {"xyz": np.full((4, 3), xyz), "rgb": np.zeros((4, 3), np.uint8)})
    return Scene(path=path, name=path.name, alignment=Alignment(Similarity.identity(), "given"))


def test_a_copy_has_the_digest_whatever_its_name_and_compression(tmp_path: Path) -> None:
    scene, copy = scene_at(tmp_path / "here"), scene_at(tmp_path / "there")
    arrays = read_arrays(copy.sfm_dir / "landmarks.npz")
    with open(copy.sfm_dir / "landmarks.npz", "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    assert scene_digest(scene) == scene_digest(copy)
    assert len(scene_digest(scene)) == 8


def test_other_landmarks_and_another_frame_have_another_digest(tmp_path: Path) -> None:
    scene, moved = scene_at(tmp_path / "here"), scene_at(tmp_path / "moved", xyz=1.0000001)
    identity = Similarity.identity()
    shifted = Alignment(Similarity(1.0, identity.rotation, np.array([0.0, 0.0, 1e-6])), "given")
    digests = {
        scene_digest(s) for s in (scene, moved, replace(scene, alignment=shifted), replace(scene, alignment=None))
    }
    assert len(digests) == 4


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    scene = scene_at(tmp_path / "here")
    (scene.sfm_dir / "landmarks.npz").write_bytes(b"PK not a zip file")
    with pytest.raises(MappingError, match=r"landmarks\.npz is damaged"):
        scene_digest(scene)
