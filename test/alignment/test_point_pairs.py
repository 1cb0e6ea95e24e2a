"""`campose align --points`: a wrong row, and swapped axes, are refused by name; what hands measure is taken."""

from pathlib import Path

import numpy as np
import pytest
from recorded_walks import Walk

from campose_core.cli.main import main
from campose_core.scene.scene import Scene


@pytest.fixture
def walk(tmp_path: Path) -> Walk:
    return Walk(tmp_path)


def spots(walk: Walk, count: int) -> np.ndarray:
    """Numbers of frames all along the walk."""
    return np.linspace(0, len(walk.truth) - 1, count + 1).astype(int)[:count]


def align(walk: Walk, scene: Scene, xyz: np.ndarray) -> int:
    """By points of the reconstruction, below and above the spots, that are said to lie at `xyz` (N, 3) of the map."""
    rows = np.hstack([walk.map_from_sfm.inverse().transform(truly(walk, len(xyz))), xyz])
    pairs = scene.path / "pairs.csv"
    pairs.write_text("sfm_x,sfm_y,sfm_z,x,y,z\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return main(["align", str(scene.path), "--points", str(pairs)])


def truly(walk: Walk, count: int) -> np.ndarray:
    heights = np.random.default_rng(3).uniform(0, 2, count)
    return walk.truth.positions[spots(walk, count)] * [1, 1, 0] + heights[:, None] * [0, 0, 1]


@pytest.mark.parametrize("count", [3, 4, 8])
def test_what_hands_measure_is_taken(walk, count):
    scene, xyz = walk.scene(), truly(walk, count)
    assert align(walk, scene, xyz + np.random.default_rng(0).uniform(-0.03, 0.03, xyz.shape)) == 0
    scale = Scene.open(scene.path).alignment.map_from_sfm.scale
    assert scale == pytest.approx(walk.map_from_sfm.scale, rel=0.05)


@pytest.mark.parametrize(
    ("count", "wrong", "times", "more"), [(8, 3, 1, 1.0), (8, 0, 1, -1.0), (5, 4, 1, 1.0), (4, 1, 10, 0.0)]
)
def test_a_row_with_a_typo_is_named(walk, capsys, count, wrong, times, more):
    scene, xyz = walk.scene(), truly(walk, count)
    before = (scene.path / "scene.yaml").read_bytes()
    off = abs(xyz[wrong, 0] * times + more - xyz[wrong, 0])
    xyz[wrong, 0] = xyz[wrong, 0] * times + more
    assert align(walk, scene, xyz) == 1
    said = capsys.readouterr().err
    assert f"; row {wrong + 2} is {off:.2f} m from where the others put it" in said
    assert (scene.path / "scene.yaml").read_bytes() == before


def test_the_frame_of_a_wrong_row_is_named(walk, capsys):
    scene, xyz = walk.scene(), walk.truth.positions[spots(walk, 6)]
    xyz[2] += [1.0, 0, 0]
    rows = [f"walk/{i:06d}.jpg,{x},{y},{z}\n" for i, (x, y, z) in zip(spots(walk, 6), xyz, strict=True)]
    (scene.path / "pairs.csv").write_text("name,x,y,z\n\n" + "".join(rows))  # blank lines count
    assert main(["align", str(scene.path), "--points", str(scene.path / "pairs.csv")]) == 1
    assert f"; row 5 (walk/{spots(walk, 6)[2]:06d}.jpg) is 1.0" in capsys.readouterr().err


def test_of_three_pairs_one_is_wrong(walk, capsys):
    scene, xyz = walk.scene(), truly(walk, 3)
    xyz[1, 0] += 1.0
    assert align(walk, scene, xyz) == 1
    assert "one of the three is wrong; a fourth would show which (row 2, row 3, row 4)" in capsys.readouterr().err


def test_of_several_wrong_pairs_it_is_said_that_there_are_more(walk, capsys):
    scene, xyz = walk.scene(), truly(walk, 8)
    xyz[[1, 5]] += [[2.0, 0, 0], [0, -2.0, 0]]
    assert align(walk, scene, xyz) == 1
    assert "others are wrong, too, or the map is bent" in capsys.readouterr().err


@pytest.mark.parametrize("turned", [np.diag([-1, 1, 1]), np.eye(3)[[1, 0, 2]]], ids=["left-handed", "x and y swapped"])
@pytest.mark.parametrize("count", [4, 8])
def test_a_mirror_image_is_none_of_the_map(walk, capsys, turned, count):
    scene = walk.scene()
    assert align(walk, scene, truly(walk, count) @ turned.T) == 1
    assert "only as a mirror image: left-handed coordinates, or two axes swapped?" in capsys.readouterr().err


def test_a_frame_that_is_not_there_is_answered_with_the_name_of_one(walk, capsys):
    scene = walk.scene()
    (scene.path / "pairs.csv").write_text("name;x;y;z\n000003.jpg;1,5;2;0\n")
    assert main(["align", str(scene.path), "--points", str(scene.path / "pairs.csv")]) == 1
    said = capsys.readouterr().err
    assert "pairs.csv:2: frame '000003.jpg' is not in the reconstruction, whose frames are named such as" in said
    assert "'walk/000000.jpg' (frames.csv)" in said
