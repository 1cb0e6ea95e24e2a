"""A damaged map is not exported: one line names its file, whatever COLMAP would do with it, and nothing is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from damaged_maps import BYTES, MODEL_FILES, POINTS
from mapped_points import mapped_scene_of_points
from PIL import Image

from campose_core.cli.main import main
from campose_core.errors import MappingError
from campose_core.interchange.export import export_scene
from campose_core.scene.scene import Scene

ALL_BITS = {"of random bytes": lambda data: np.random.default_rng(0).bytes(len(data))}
SOME_BITS = {
    f"with random bytes in it, {seed}": lambda data, seed=seed: bytes(
        byte if kept else 255 - byte
        for byte, kept in zip(data, np.random.default_rng(seed).random(len(data)) > 0.01, strict=True)
    )
    for seed in range(3)
}
CHANGES = BYTES | ALL_BITS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    scene = mapped_scene_of_points(tmp_path_factory.mktemp("points") / "scene")
    for frame in scene.frames:
        camera = scene.cameras[frame.camera]
        Image.new("RGB", (camera.width, camera.height)).save(scene.path / "frames" / frame.name)
    return scene.path


def test_an_undamaged_map_is_exported(scene, tmp_path):
    assert export_scene(Scene.open(scene), "colmap", tmp_path / "out") == 6
    assert export_scene(Scene.open(scene), "hloc", tmp_path / "hloc") == 6


CASES = [
    *((file, name, change) for file in MODEL_FILES for name, change in CHANGES.items()),
    *(("model/points3D.bin", name, change) for name, change in POINTS.items()),
    *(("database.db", name, CHANGES[name]) for name in ("cut in half", "of zeros", "of ones", "of text")),
]


@pytest.mark.parametrize(("file", "name", "change"), [pytest.param(*case, id=" ".join(case[:2])) for case in CASES])
def test_a_damaged_map_is_refused_by_name(scene, tmp_path, file, name, change):
    broken = damaged(scene, tmp_path, file, change)
    with pytest.raises(MappingError) as error:
        export_scene(Scene.open(broken), "colmap", tmp_path / "out")
    check(error.value, broken, file)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change, id=name, marks=pytest.mark.long if number else ())
        for number, (name, change) in enumerate(SOME_BITS.items())
    ],
)
@pytest.mark.parametrize("file", [*MODEL_FILES, "database.db"])
def test_a_map_with_random_bytes_in_it_is_taken_or_refused(scene, tmp_path, file, change):
    """Of a coordinate nothing can tell."""
    broken = damaged(scene, tmp_path, file, change)
    try:
        export_scene(Scene.open(broken), "colmap", tmp_path / "out")
    except MappingError as error:
        check(error, broken, file)
    assert (tmp_path / "out").exists() == (tmp_path / "out" / "sparse" / "0" / "points3D.bin").exists()


def damaged(scene, tmp_path, file, change) -> Path:
    broken = Path(shutil.copytree(scene, tmp_path / "scene"))
    path = broken / "sfm" / file
    data = change(path.read_bytes())
    path.unlink()
    if data:
        path.write_bytes(data)
    return broken


def check(error: MappingError, broken: Path, file: str) -> None:
    assert str(broken / "sfm" / Path(file).parts[0]) in str(error)
    assert str(error).endswith("campose map` again")
    assert "\n" not in str(error)


def test_a_database_without_images_is_refused(scene, tmp_path):
    broken = Path(shutil.copytree(scene, tmp_path / "scene"))
    (broken / "sfm" / "database.db").write_bytes(b"")  # SQLite takes it for a new one
    with pytest.raises(MappingError, match=r"scene/sfm/database\.db is damaged \(it lacks walk/000001\.jpg\)"):
        export_scene(Scene.open(broken), "colmap", tmp_path / "out")


def test_a_map_of_another_scene_is_refused(scene, tmp_path, capsys):
    other = Path(shutil.copytree(scene, tmp_path / "scene"))
    table = other / "frames.csv"
    table.write_text(table.read_text().replace("walk/000001.jpg", "walk/000009.jpg"))
    for form in ("colmap", "hloc"):
        assert main(["export", str(other), "--to", form, "--out", str(tmp_path / "out")]) == 1
        said = capsys.readouterr().err
        assert "sfm/model is of another map: frames.csv lacks its image walk/000001.jpg; run" in said
        assert said.count("\n") == 1
        assert not (tmp_path / "out").exists()
