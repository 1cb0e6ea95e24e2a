"""An image of a scene that is missing or damaged: whoever needs it ends with one line that names it."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from mapped_points import mapped_scene_of_points
from PIL import Image

pytest.importorskip("pycolmap", reason="the scene is COLMAP's: pip install 'campose_ros[map]'")

from campose_core.cli.main import main
from campose_core.errors import CamposeError, SceneError
from campose_core.evaluation.views import scene_views
from campose_core.pixels.scene_images import read_image
from campose_core.scene.scene import Scene
from campose_core.sfm.keyframe_selection import measure_motion

NAME = "walk/000001.jpg"
DAMAGES = {
    **{f"cut at {k}/20": lambda data, k=k: data[: len(data) * k // 20] for k in range(20)},
    "random": lambda data: np.random.default_rng(0).bytes(len(data)),
    "with random bytes in it": lambda data: data[:200] + np.random.default_rng(0).bytes(len(data) - 400) + data[-200:],
    "text": lambda data: b"a picture\n" * 9,
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    scene = mapped_scene_of_points(tmp_path_factory.mktemp("points") / "scene")
    random = np.random.default_rng(0)
    for frame in scene.frames:
        camera = scene.cameras[frame.camera]
        noise = random.integers(0, 256, (camera.height // 8, camera.width // 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((camera.width, camera.height)).save(scene.path / "frames" / frame.name)
    return scene.path


@pytest.fixture
def broken(scene, tmp_path) -> Path:
    return Path(shutil.copytree(scene, tmp_path / "scene"))


@pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_image_is_named(broken, change):
    path = broken / "frames" / NAME
    path.write_bytes(change(path.read_bytes()))
    opened = Scene.open(broken)
    for mode in ("RGB", "L"):
        with pytest.raises(SceneError) as error:
            read_image(opened, opened.frames[0], mode)
        assert str(error.value).startswith(f"{path}: cannot be read as an image (it is ")
        assert str(error.value).endswith("): extract the frames of 'walk' again")
        assert "\n" not in str(error.value)


def test_whole_images_are_read(scene):
    opened = Scene.open(scene)
    image, grey = (read_image(opened, opened.frames[0], mode) for mode in ("RGB", "L"))
    assert image.shape == (*grey.shape, 3)
    assert image.std() > 20


def prepare_for_training(scene: Scene) -> None:
    frame_cache = pytest.importorskip("campose_core.learning.frame_cache")
    from campose_core.pixels.network_input import NetworkInput

    camera = scene.cameras[scene.frames[0].camera]
    frame_cache.cached_images(scene, scene.frames, NetworkInput.covering(camera, 32))


READERS = {
    "views": lambda scene: scene_views(scene, enumerate(scene.frames)),
    "keyframes": lambda scene: measure_motion([scene.frame_path(frame) for frame in scene.frames], "motion"),
    "training": prepare_for_training,
}


@pytest.mark.parametrize("kind", ["a pipe", "441 megapixels"])
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_nobody_waits_for_an_image_or_fills_the_memory_with_it(broken, kind, read):
    path = broken / "frames" / NAME
    path.unlink()
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        Image.new("1", (21_000, 21_000)).save(path, "PNG")
    with pytest.raises(CamposeError, match=str(path)):
        read(Scene.open(broken))


@pytest.mark.parametrize("how", ["cut", "missing", "nowhere"])
@pytest.mark.parametrize("verb", ["view", "colmap", "nerfstudio", "hloc"])
def test_commands_that_need_it_name_it(broken, tmp_path, capsys, verb, how):
    path, out = broken / "frames" / NAME, tmp_path / "out"
    whole = path.read_bytes()
    path.unlink()
    if how == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif how == "nowhere":
        path.symlink_to(tmp_path / "nothing")
    if verb == "view":
        arguments = ["view", str(broken), "--mcap", str(out)]
    else:
        arguments = ["export", str(broken), "--to", verb, "--out", str(out)]
    code, said = main(arguments), capsys.readouterr().err
    if how == "cut" and verb != "view":  # which copies images as they are
        assert code == 0
        return
    assert code == 1
    assert str(path) in said.splitlines()[-1]
    assert "extract" in said.splitlines()[-1]
    assert "Errno" not in said
    assert not out.exists()
