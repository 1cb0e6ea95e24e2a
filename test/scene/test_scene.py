import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from strategies import cameras, poses, similarities

from campose_core.camera import Camera
from campose_core.errors import SceneError
from campose_core.geometry import Pose, pose_error
from campose_core.residual import Residual
from campose_core.scene.alignment import Alignment
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene

letters = st.characters(codec="utf-8", exclude_characters="/\\", exclude_categories=["Cs", "Cc"])
names = st.text(letters, min_size=1, max_size=60).filter(lambda name: name not in (".", ".."))
frames = st.builds(
    SceneFrame,
    names,
    names,
    st.integers(0, 2**62),
    names,
    st.sampled_from(["", "train", "val", "test"]),
    st.none() | poses,
)


@given(st.lists(frames, max_size=5), cameras(), st.none() | similarities)
def test_a_scene_reads_back_what_was_saved(tmp_path_factory, rows, camera, map_from_sfm):
    folder = tmp_path_factory.mktemp("scene") / "küche 1"
    alignment = Alignment(map_from_sfm, "test", Residual(median_m=0.5)) if map_from_sfm else None
    cameras_by_name = dict.fromkeys(["phone", *(row.camera for row in rows)], camera)
    scene = Scene(folder, "küche 1", cameras_by_name, {"phone": {"path": "x"}}, alignment, {}, tuple(rows))
    scene.save()
    again = Scene.open(folder)
    assert (again.name, again.cameras, again.sources) == (scene.name, scene.cameras, scene.sources)
    assert [f.name for f in again.frames] == [f.name for f in rows]
    for a, b in zip(again.frames, rows, strict=True):
        assert (a.source, a.stamp_ns, a.camera, a.split) == (b.source, b.stamp_ns, b.camera, b.split)
        assert (a.map_from_cam is None) == (b.map_from_cam is None)
        if a.map_from_cam and b.map_from_cam:
            assert max(pose_error(a.map_from_cam, b.map_from_cam)) < 1e-6
    if alignment:
        assert again.alignment is not None
        assert again.alignment.map_from_sfm.scale == pytest.approx(alignment.map_from_sfm.scale)


def saved(tmp_path) -> Scene:
    row = SceneFrame("a/0.jpg", "a", 5, "a", "train", Pose(Rotation.identity(), np.ones(3)))
    scene = Scene(tmp_path / "s", "s", {"a": Camera.from_field_of_view(64, 48, 60)}, {"a": {}}, None, {}, (row,))
    scene.save()
    return scene


def test_a_step_is_done_until_its_options_or_a_step_before_it_change(tmp_path):
    scene = saved(tmp_path).with_step("extract:a", {"fps": 5}).with_step("map", {"mapper": "global"})
    scene = scene.with_step("align", {})
    scene.save()
    scene = Scene.open(scene.path)
    assert scene.is_done("map", {"mapper": "global"})
    assert scene.is_done("align", {})
    assert not scene.is_done("map", {"mapper": "incremental"})
    changed = scene.with_step("extract:a", {"fps": 6})
    assert not changed.is_done("map", {"mapper": "global"})
    assert not scene.with_step("extract:b", {"fps": 5}).is_done("map", {"mapper": "global"})
    remapped = scene.with_step("map", {"mapper": "incremental"})
    assert not remapped.is_done("align", {})
    assert scene.with_step("floor", {"map": "x"}).is_done("align", {})


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("scene.yaml", "format: 1\nname: x\n", "scene.yaml is damaged"),
        ("scene.yaml", "[", "scene.yaml is damaged"),
        ("scene.yaml", "format: 1\nname: x\ncameras: {}\nsources:\nsteps: {}\n", "scene.yaml is damaged"),
        ("scene.yaml", "format: 1\nname: x\ncameras: {}\nsources: {}\nsteps: {map: x}\n", "scene.yaml is damaged"),
        ("scene.yaml", "format: 99\n", "format 99, this campose reads up to 1: upgrade"),
        ("scene.yaml", "- format: 1\n", "not written by campose"),
        ("frames.csv", "name,stamp\n", "frames.csv: expected the columns"),
        ("frames.csv", None, "frames.csv: cannot be read"),
    ],
)
def test_damaged_scenes_name_the_file(tmp_path, file, text, message):
    scene = saved(tmp_path)
    if text is None:
        (scene.path / file).unlink()
    else:
        (scene.path / file).write_text(text)
    with pytest.raises(SceneError, match=message):
        Scene.open(scene.path)


def test_a_damaged_row_names_its_line(tmp_path):
    scene = saved(tmp_path)
    csv = scene.path / "frames.csv"
    csv.write_text(csv.read_text() + "a/1.jpg,a,7,a,train,1,2,3,0,0,0,0\n")
    with pytest.raises(SceneError, match=r"frames\.csv:3: .*quaternion"):
        Scene.open(scene.path)


def test_a_folder_with_other_things_is_not_taken_over(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(SceneError, match=r"letter\.txt"):
        Scene.open_or_create(tmp_path)
    with pytest.raises(SceneError, match="not a scene"):
        Scene.open(tmp_path)
    (tmp_path / "new").mkdir()
    assert Scene.open_or_create(tmp_path / "new").frames == ()


def test_a_folder_that_nobody_can_look_into_is_no_scene(tmp_path):
    """As a peer may give it to the node's load_scene."""
    for path in ("x" * 300, "a/" * 3000):
        for opened in (Scene.open, Scene.open_or_create):
            with pytest.raises(SceneError, match="no scene can be opened here: File name too long") as error:
                opened(path)
            assert len(str(error.value)) < 300
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    for name in ("circle", "nowhere"):
        with pytest.raises(SceneError, match="is not a scene"):
            Scene.open(tmp_path / name)
        with pytest.raises(SceneError, match=f"{name} is a link that leads nowhere: remove it"):
            Scene.open_or_create(tmp_path / name)
