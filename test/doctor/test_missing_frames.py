"""Why frames found no place, told from their images and their neighbours."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from two_rooms import PERIOD_NS, drive, look, mapped, scene_at, textured

from campose_core.doctor.missing_frames import missing_stretches, poor_pictures
from campose_core.geometry import Pose
from campose_core.scene.scene import Scene

WALK = mapped(drive(np.arange(1.0, 3.0, 0.1), 0), per_m2=8)
AFTER = 10


def poses_of(scene: Scene) -> dict[str, Pose]:
    return {frame.name: frame.map_from_cam for frame in scene.posed_frames()}


def blank() -> np.ndarray:
    shade = np.linspace(118, 124, 320)
    return np.round(np.tile(shade, (240, 1))).astype(np.uint8)


IMAGES = {
    "dark": (textured(1) * 0.08).astype(np.uint8),
    "blurred": ndimage.gaussian_filter(textured(2).astype(float), 5).astype(np.uint8),
    "blank": blank(),
    "not connected": textured(3),
    "unreadable": None,
}


@pytest.mark.parametrize("reason", IMAGES)
def test_the_picture_tells_the_reason(tmp_path, reason):
    scene = scene_at(tmp_path, WALK, missing={AFTER: IMAGES[reason]}, floor=False)
    (found,) = missing_stretches(scene, poses_of(scene), depth=3.0)
    assert found.reason == reason
    assert (found.source, found.frames) == ("a", 1)
    assert found.start_s == pytest.approx((AFTER + 0.5) * PERIOD_NS / 1e9)
    assert (found.before, found.after) == (f"a/{AFTER:04d}.jpg", f"a/{AFTER + 1:04d}.jpg")
    assert found.place == pytest.approx((2.05, 1.95, 0.8))


def test_a_dim_recording_is_not_too_dark_where_the_map_was_made_as_dim(tmp_path):
    scene = scene_at(tmp_path, WALK, missing={AFTER: (textured(3) * 0.3).astype(np.uint8)}, floor=False)
    for frame in scene.posed_frames():
        path = scene.frame_path(frame)
        from PIL import Image

        Image.fromarray((textured(0) * 0.3).astype(np.uint8)).save(path)
    (found,) = missing_stretches(scene, poses_of(scene), depth=3.0)
    assert found.reason == "not connected"


def test_a_fast_turn_between_the_neighbours_is_named(tmp_path):
    turning = mapped([look(2.0 + 0.05 * i, 2.0, 0 if i <= AFTER else 60) for i in range(20)], per_m2=8)
    scene = scene_at(tmp_path, turning, missing={AFTER: textured(3)}, floor=False)
    (found,) = missing_stretches(scene, poses_of(scene), depth=3.0)
    assert found.reason == "fast"


def test_a_pause_of_the_recording_is_named(tmp_path):
    scene = scene_at(tmp_path, WALK, missing={AFTER: textured(3)}, floor=False)
    later = tuple(
        replace(frame, stamp_ns=frame.stamp_ns + (5 * 10**9 if frame.stamp_ns > AFTER * PERIOD_NS else 0))
        for frame in scene.frames
    )
    scene = replace(scene, frames=later)
    (found,) = missing_stretches(scene, poses_of(scene), depth=3.0)
    assert found.reason == "gap"


def test_consecutive_frames_are_one_stretch_and_the_longest_comes_first(tmp_path):
    scene = scene_at(tmp_path, WALK, missing={3: textured(3), 10: textured(3), 11: textured(3)}, floor=False)
    unposed = {"a/0011.jpg"}
    poses = {name: pose for name, pose in poses_of(scene).items() if name not in unposed}
    found = missing_stretches(scene, poses, depth=3.0)
    assert [stretch.frames for stretch in found] == [3, 1]


def test_frames_at_the_ends_have_one_neighbour(tmp_path):
    last = len(WALK.frame_names) - 1
    scene = scene_at(tmp_path, WALK, missing={last: textured(3)}, floor=False)
    (found,) = missing_stretches(scene, poses_of(scene), depth=3.0)
    assert found.after is None
    assert found.place == pytest.approx(tuple(WALK.frame_positions[last]))


def test_a_scene_that_is_not_mapped_is_told_its_dark_pictures(tmp_path):
    scene = scene_at(tmp_path, WALK, missing={AFTER: IMAGES["dark"]}, floor=False)
    assert poor_pictures(scene) == {"a": {"looked at": 21, "dark": 1}}
