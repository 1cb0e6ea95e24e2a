"""MapNet+: recordings that nobody labelled tell how the camera moved, and a trained network goes on with them."""

from dataclasses import replace

import numpy as np
import pytest
from learnable import CAMERA, QUICK, SMALL, make_scene, picture, walk, write_walk_bag

from campose_core.errors import CaptureError, LearningError
from campose_core.geometry import pose_error
from campose_core.learning.checkpoint import load
from campose_core.learning.kinds.menet import MIN_SIZE
from campose_core.learning.train import train
from campose_core.learning.unlabelled import unlabelled_material
from campose_core.pixels.network_input import NetworkInput
from campose_core.scene.scene import Scene
from campose_core.scene.split import SplitOptions

MAPNET = replace(QUICK, kind="mapnet", **SMALL)
INPUT = NetworkInput.covering(CAMERA, 32)
WALK = walk(14, start=0.4)


@pytest.fixture
def scene(tmp_path) -> Scene:
    return make_scene(tmp_path / "scene", {"a": 30})


def plus(bag, **changes):
    return replace(MAPNET, kind="mapnet+", start_from="mapnet", unlabelled=(str(bag),), **changes)


def test_frames_come_with_the_motion_of_the_odometry(tmp_path, scene):
    material = unlabelled_material(scene, str(write_walk_bag(tmp_path / "walk", WALK)), INPUT)
    assert len(material) == len(WALK) == len(material.images) == len(material.names) == len(set(material.names))
    assert len(set(material.sources)) == 1
    assert (material.inverse_depth == 0).all()
    for i in range(1, len(WALK)):
        found = material.poses[i - 1].inverse() * material.poses[i]
        assert max(pose_error(found, WALK[i - 1].inverse() * WALK[i])) < 1e-6
        expected = INPUT.prepare(picture(WALK[i]), CAMERA)
        assert np.abs(material.images[i].astype(int) - expected).mean() < 6  # JPEG


def test_frames_are_thinned(tmp_path, scene):
    material = unlabelled_material(scene, str(write_walk_bag(tmp_path / "walk", WALK)), INPUT, most_hz=2.0)
    assert len(material) == len(WALK) // 2
    found = material.poses[0].inverse() * material.poses[1]
    assert max(pose_error(found, WALK[0].inverse() * WALK[2])) < 1e-6


def test_mapnet_plus_goes_on_with_mapnet(tmp_path, scene):
    bag = write_walk_bag(tmp_path / "walk", WALK)
    scene = train(scene, "mapnet", replace(MAPNET, epochs=6))
    before = load(scene.models_dir / "mapnet")
    scene = train(scene, "mapnet+", plus(bag, epochs=2, learning_rate=1e-9))
    model = load(scene.models_dir / "mapnet+")
    assert model.network.architecture.kind == "mapnet+"
    assert model.options["unlabelled"] == [str(bag)]
    # With steps of nothing it is the network it began with, and so it answers.
    for frame in scene.posed_frames("train")[::5]:
        image = picture(frame.map_from_cam)
        assert pose_error(model.estimate(image, CAMERA)[0], before.estimate(image, CAMERA)[0])[0] < 1e-3
    # With steps it is another.
    scene = train(scene, "mapnet+far", plus(bag, epochs=2, learning_rate=1e-3))
    other, image = load(scene.models_dir / "mapnet+far"), picture(WALK[3])
    assert pose_error(other.estimate(image, CAMERA)[0], before.estimate(image, CAMERA)[0])[0] > 1e-3


def test_what_the_unlabelled_frames_show_counts(tmp_path, scene):
    """The same options and other motions: another network."""
    train(scene, "mapnet", MAPNET)
    found = []
    for name, poses in (("one", WALK), ("other", WALK[::-1])):
        bag = write_walk_bag(tmp_path / name / "walk", poses)
        bag.rename(tmp_path / "walk")
        trained = train(Scene.open(scene.path), "mapnet+", plus(tmp_path / "walk"))
        found.append(load(trained.models_dir / "mapnet+").network.head.pose.weight)
        (tmp_path / "walk").rename(tmp_path / name / "walk")
        trained.without_step("train:mapnet+").save()
    assert not np.allclose(*(weight.detach().numpy() for weight in found))


@pytest.mark.parametrize("frozen", [True, False])
def test_it_trains_layers_or_everything_and_goes_through_other_bags(tmp_path, scene, frozen):
    scene = train(scene, "mapnet", replace(MAPNET, epochs=1, frozen=frozen))
    bags = tuple(str(write_walk_bag(tmp_path / name, WALK)) for name in ("one", "two"))
    options = replace(plus("", epochs=1, frozen=frozen), unlabelled=bags)
    assert load(train(scene, "mapnet+", options).models_dir / "mapnet+").metrics["epoch"] == 1


def test_without_odometry_menet_tells_the_motion(tmp_path):
    # Frames to learn pairs from as far apart in time as those of the bag.
    scene = make_scene(tmp_path / "scene", {"a": 24, "b": 10}, SplitOptions(scheme="source", val_sources=("b",)))
    scene = train(scene, "menet", replace(QUICK, kind="menet", image_size=MIN_SIZE, epochs=1, tuple_skip=3))
    bag = write_walk_bag(tmp_path / "walk", WALK, with_odometry=False)
    material = unlabelled_material(scene, str(bag), INPUT)
    assert len(material) == len(WALK)
    assert max(pose_error(material.poses[0], type(WALK[0]).identity())) == 0.0
    model = load(scene.models_dir / "menet")
    pictures = [model.network_input.prepare(frame.image, CAMERA) for frame in _frames(bag)]
    expected = model.relative(pictures[4], pictures[5])[0]
    found = material.poses[4].inverse() * material.poses[5]
    assert max(pose_error(found, expected)) < 1e-4


def _frames(bag):
    from campose_core.capture.recording import open_recording

    return open_recording(bag).frames()


def test_without_odometry_and_without_menet_it_says_what_to_do(tmp_path, scene):
    train(scene, "mapnet", replace(MAPNET, epochs=1))
    scene = Scene.open(scene.path)
    bag = write_walk_bag(tmp_path / "walk", WALK, with_odometry=False)
    with pytest.raises(LearningError, match=r"no odometry.*nav_msgs/Odometry.*campose train .* --model menet") as error:
        train(scene, "mapnet+", plus(bag))
    assert "\n" not in str(error.value)
    unmounted = write_walk_bag(tmp_path / "unmounted", WALK, mounted=False)
    with pytest.raises(CaptureError, match="record /tf_static"):
        train(scene, "mapnet+", plus(unmounted))
    with pytest.raises(CaptureError, match="no such file or folder"):
        train(scene, "mapnet+", plus(tmp_path / "absent"))
    short = write_walk_bag(tmp_path / "short", WALK[:3])
    with pytest.raises(LearningError, match=r"has 3 .*frames and a tuple spans 5"):
        train(scene, "mapnet+", plus(short))
    shortest = write_walk_bag(tmp_path / "shortest", WALK[:1])
    with pytest.raises(LearningError, match="1 frames with known motion: too few"):
        train(scene, "mapnet+", plus(shortest))
    assert [path.name for path in scene.models_dir.iterdir()] == ["mapnet"]


def test_a_start_that_does_not_fit_is_refused(tmp_path, scene):
    bag = write_walk_bag(tmp_path / "walk", WALK)
    with pytest.raises(LearningError, match=r"no model 'mapnet' to start from"):
        train(scene, "mapnet+", plus(bag))
    scene = train(scene, "mapnet", replace(MAPNET, epochs=1))
    with pytest.raises(LearningError, match="mapnet takes images of 32 pixels a side, not 48: give --image-size 32"):
        train(scene, "mapnet+", plus(bag, image_size=48))
