from pathlib import Path

import numpy as np
import pytest
from landmark_rooms import CAMERA, building, features_seen, looking, room
from PIL import Image as PilImage
from PIL import ImageFilter

from campose_core.capture.recording import open_recording
from campose_core.features.base import ImageFeatures
from campose_core.features.sift import SiftExtractor
from campose_core.geometry import Pose, pose_error
from campose_core.landmark_map.aligned import aligned_landmarks
from campose_core.landmark_map.covisibility import Keyframes
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.localization.relocalizer import Relocalizer
from campose_core.scene.scene import Scene
from campose_core.trajectory import read_tum

VIEW = looking(0.7, np.array([2.6, 2.4, 1.3]))


def relocalizer(landmarks: Landmarks) -> Relocalizer:
    return Relocalizer(landmarks, Keyframes(landmarks))


def shifted(pose: Pose, x: float) -> Pose:
    return Pose(pose.rotation, pose.translation + np.array([x, 0.0, 0.0]))


class Rendered:
    """The rendered room: its images, their truth, and a relocalizer."""

    def __init__(self, scene: Scene, world: Path) -> None:
        self.relocalize = relocalizer(aligned_landmarks(scene))
        (self.camera,) = scene.cameras.values()
        frames = list(open_recording(world / "later.bag").frames())
        frames = frames[:: max(1, len(frames) // 10)]
        known, truths = read_tum(world / "later.tum").interpolate([frame.stamp_ns for frame in frames])
        self.images = [frame.image for frame, is_known in zip(frames, known, strict=True) if is_known]
        self.truths = [pose for _, pose in truths]


@pytest.fixture(scope="module")
def rendered(small_scene: Path, small_world: Path) -> Rendered:
    return Rendered(Scene.open(small_scene), small_world)


def test_images_of_a_later_drive_are_found_without_prior(rendered):
    extract = SiftExtractor()
    for image, truth in zip(rendered.images, rendered.truths, strict=True):
        poses = rendered.relocalize(extract(image), rendered.camera)
        assert len(poses) == 1
        distance, angle = pose_error(poses[0].world_from_cam, truth)
        assert distance < 0.05
        assert angle < np.radians(0.5)


def test_images_that_show_nothing_of_the_map_have_no_place(rendered):
    extract = SiftExtractor()
    shape = rendered.images[0].shape
    shown = [np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)]
    shown += [np.random.default_rng(i).integers(0, 256, shape, dtype=np.uint8) for i in range(3)]
    shown += [
        np.asarray(PilImage.fromarray(image).filter(ImageFilter.GaussianBlur(16))) for image in rendered.images[:3]
    ]
    assert [rendered.relocalize(extract(image), rendered.camera) for image in shown] == [[]] * len(shown)


def test_images_of_another_building_have_no_place(rendered, shared_data):
    extract = SiftExtractor()
    kitchen = list(open_recording(shared_data / "redkitchen" / "query.mp4").frames(fps=2.0))
    assert len(kitchen) >= 5
    for frame in kitchen:
        assert rendered.relocalize(extract(frame.image), rendered.camera) == []


def test_the_right_room_of_many():
    world = building(*(room(seed) for seed in range(6)))
    relocalize = relocalizer(world)
    for i in range(6):
        (pose,) = relocalize(features_seen(room(i), VIEW), CAMERA)
        assert max(pose_error(pose.world_from_cam, shifted(VIEW, 20.0 * i))) < 0.02


def test_a_room_outside_of_the_map_has_no_place():
    relocalize = relocalizer(building(*(room(seed) for seed in range(6))))
    assert relocalize(features_seen(room(77), VIEW), CAMERA) == []
    nothing = ImageFeatures(np.zeros((0, 2)), np.zeros((0, 128), np.float32))
    assert relocalize(nothing, CAMERA, [VIEW]) == []


def test_identical_rooms_are_both_answered():
    relocalize = relocalizer(building(room(1), room(0), room(2), room(0)))
    poses = relocalize(features_seen(room(0), VIEW), CAMERA)
    assert len(poses) == 2
    first, second = sorted(poses, key=lambda pose: pose.world_from_cam.translation[0])
    assert max(pose_error(first.world_from_cam, shifted(VIEW, 20.0))) < 0.02
    assert max(pose_error(second.world_from_cam, shifted(VIEW, 60.0))) < 0.02
    # Nothing that the covariances explain.
    apart = first.world_from_cam.translation - second.world_from_cam.translation
    assert apart @ np.linalg.solve((first.covariance + second.covariance)[:3, :3], apart) > 1000
    assert len(poses[0].inliers) >= len(poses[1].inliers)


def test_a_room_mapped_twice_is_one_place():
    """Two passes that share no landmark, a few millimetres apart: one answer, not two that contradict."""
    relocalize = relocalizer(building(room(0), room(0), apart=0.004))
    (pose,) = relocalize(features_seen(room(0), VIEW), CAMERA)
    assert max(pose_error(pose.world_from_cam, VIEW)) < 0.02


def test_a_thing_carried_into_another_room_is_not_its_place():
    """The image shows a quarter of the landmarks of one room, all of another: whichever is looked at first."""
    relocalize = relocalizer(building(room(0), room(1)))
    here, carried = features_seen(room(0), VIEW), features_seen(room(1), VIEW, clutter=0)
    few = slice(None, None, 4)
    assert len(carried.pixels[few]) >= 30
    both = ImageFeatures(
        np.concatenate([here.pixels, carried.pixels[few]]),
        np.concatenate([here.descriptors, carried.descriptors[few]]),
    )
    for hints in ([], [shifted(VIEW, 20.0)], [VIEW]):
        (pose,) = relocalize(both, CAMERA, hints)
        assert max(pose_error(pose.world_from_cam, VIEW)) < 0.02


def test_a_hint_brings_in_a_place_that_likeness_alone_does_not():
    """A corridor with twelve doors to the same room: the image alone cannot tell, and a few of them are looked at."""
    relocalize = relocalizer(building(*[room(0)] * 12))
    features = features_seen(room(0), VIEW)
    wanted = shifted(VIEW, 20.0 * 11)
    hint = Pose(wanted.rotation, wanted.translation + np.array([0.4, -0.3, 0.1]))

    def found(hints):
        return [max(pose_error(p.world_from_cam, wanted)) < 0.02 for p in relocalize(features, CAMERA, hints)]

    assert not any(found([]))
    assert sum(found([hint])) == 1
    assert len(found([hint])) > 1


def test_wrong_hints_change_nothing():
    relocalize = relocalizer(building(*(room(seed) for seed in range(4))))
    features = features_seen(room(2), VIEW)
    (expected,) = relocalize(features, CAMERA)
    wrong = [shifted(VIEW, 0.0), shifted(VIEW, 60.0), shifted(VIEW, 1e6), looking(3.0, np.array([2.0, 2.0, 1.0]))]
    (pose,) = relocalize(features, CAMERA, wrong)
    assert max(pose_error(pose.world_from_cam, expected.world_from_cam)) == 0.0


def test_the_landmarks_looked_at_do_not_grow_with_the_building():
    class Counting(Keyframes):
        looked_at = 0

        def seen_by(self, keyframes):
            seen = super().seen_by(keyframes)
            self.looked_at += len(seen)
            return seen

    def looked_at(rooms: int) -> int:
        world = building(*(room(seed) for seed in range(rooms)))
        keyframes = Counting(world)
        assert len(Relocalizer(world, keyframes)(features_seen(room(0), VIEW), CAMERA)) == 1
        return keyframes.looked_at

    assert looked_at(16) <= 1.1 * looked_at(4)


def test_the_same_image_has_the_same_pose():
    relocalize = relocalizer(building(room(0), room(1)))
    features = features_seen(room(1), VIEW)
    (first,) = relocalize(features, CAMERA)
    relocalize(features_seen(room(0), VIEW), CAMERA)
    (again,) = relocalize(features, CAMERA)
    assert np.array_equal(first.world_from_cam.matrix(), again.world_from_cam.matrix())
