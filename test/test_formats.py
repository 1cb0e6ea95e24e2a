"""Scenes that earlier versions wrote still open, and those of later versions are refused by name.

test/data/scene_format_1 was written on 2026-11-28 by the code of that day. It is never written anew: a new format
gets a folder beside it, a reader, and a line in CHANGELOG.md.
"""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from campose_core.errors import MappingError, SceneError
from campose_core.landmark_map.aligned import aligned_landmarks
from campose_core.landmark_map.arrays import FORMAT as ARRAYS_FORMAT
from campose_core.landmark_map.arrays import read_arrays, write_arrays
from campose_core.localization.estimators.structure import StructureEstimator
from campose_core.scene.scene import FORMAT, Scene
from campose_core.walkable import load_walkable

DATA = Path(__file__).parent / "data"


@pytest.fixture(params=range(1, FORMAT + 1))
def earlier(request, tmp_path) -> Path:
    return shutil.copytree(DATA / f"scene_format_{request.param}", tmp_path / "scene")


def test_a_scene_of_each_format_opens_and_is_localized_in(earlier):
    scene = Scene.open(earlier)
    assert [frame.name for frame in scene.posed_frames()] == [
        "first/000000.jpg",
        "first/000001.jpg",
        "second/000000.jpg",
    ]
    assert scene.alignment.map_from_sfm.scale == pytest.approx(2.0)
    landmarks = aligned_landmarks(scene)
    assert len(landmarks.xyz) == 12
    assert (landmarks.xyz > (2, -1, 0)).all()
    assert (landmarks.xyz < (5, 1, 2)).all()
    for row, frame in enumerate(scene.posed_frames()):
        np.testing.assert_allclose(landmarks.frame_positions[row], frame.map_from_cam.translation, atol=1e-9)
    assert load_walkable(scene.floor_yaml.parent).floor.shape == (60, 80)
    assert StructureEstimator.load(scene).name == "structure"


def test_what_is_saved_again_opens_with_the_same_content(earlier):
    before = Scene.open(earlier)
    before.save()
    after = Scene.open(earlier)
    assert after.cameras == before.cameras
    assert [frame.name for frame in after.frames] == [frame.name for frame in before.frames]


def test_a_later_scene_is_refused(earlier):
    header = yaml.safe_load((earlier / "scene.yaml").read_text())
    (earlier / "scene.yaml").write_text(yaml.safe_dump(header | {"format": FORMAT + 1}))
    with pytest.raises(SceneError, match=rf"scene\.yaml: format {FORMAT + 1}, this campose reads up to {FORMAT}"):
        Scene.open(earlier)


def test_a_member_that_is_no_array_is_refused(tmp_path):
    """numpy gives its bytes."""
    path = tmp_path / "some.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\0NUMPY")
    with pytest.raises(MappingError, match=r"some\.npz is damaged \(it is no whole \.npz file of numbers\)"):
        read_arrays(path)


def test_later_arrays_are_refused_and_those_without_a_number_are_of_the_first_format(tmp_path):
    path = tmp_path / "some.npz"
    np.savez(path, x=np.arange(3))
    assert read_arrays(path).keys() == {"x"}
    write_arrays(path, {"x": np.arange(3)})
    assert read_arrays(path).keys() == {"x"}
    np.savez(path, x=np.arange(3), format=ARRAYS_FORMAT + 1)
    with pytest.raises(MappingError, match=rf"some\.npz: format {ARRAYS_FORMAT + 1}, this campose reads up to"):
        read_arrays(path)
