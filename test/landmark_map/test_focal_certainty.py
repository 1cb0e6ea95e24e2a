"""What a reconstruction tells of a focal length that nobody measured, and what it leaves open."""

from dataclasses import replace

import numpy as np
import pytest
from landmark_rooms import looking

from campose_core.camera import Camera
from campose_core.landmark_map.colmap import load_pycolmap, to_colmap_camera, to_colmap_pose
from campose_core.landmark_map.focal_certainty import focal_sigmas, focal_texts

OWN = Camera("SIMPLE_RADIAL", 640, 480, (520.0, 319.5, 239.5, 0.0))
ASSUMED = Camera.from_field_of_view(640, 480, 60.0)


def reconstructed(poses, xyz, noise_px=0.5):
    """A model whose images show what is before them."""
    pycolmap, generator = load_pycolmap(), np.random.default_rng(1)
    model, tracks = pycolmap.Reconstruction(), [[] for _ in xyz]
    camera = to_colmap_camera(OWN)
    camera.camera_id = 1
    model.add_camera_with_trivial_rig(camera)
    for number, pose in enumerate(poses, start=1):
        cam = pose.inverse().transform(xyz)
        pixels = OWN.project(cam)
        rows = np.flatnonzero((cam[:, 2] > 0.3) & (pixels >= 0).all(axis=1) & (pixels < (640, 480)).all(axis=1))
        seen = pixels[rows] + 0.5 + generator.normal(0, noise_px, (len(rows), 2))
        image = pycolmap.Image(name=f"walk/{number:06d}.jpg", keypoints=seen, camera_id=1, image_id=number)
        model.add_image_with_trivial_frame(image, to_colmap_pose(pose.inverse()))
        for at, row in enumerate(rows):
            tracks[row].append((number, at))
    for row, seen_by in enumerate(tracks):
        if len(seen_by) >= 2:
            track = pycolmap.Track()
            for image_id, at in seen_by:
                track.add_element(image_id, at)
            model.add_point3D(xyz[row], track)
    return model


def room(count=800):
    return np.random.default_rng(0).uniform([0.0, 0.0, 0.0], [6.0, 5.0, 2.6], (count, 3))


def test_who_turns_in_a_room_tells_it_and_who_passes_a_wall_does_not():
    turning = [looking(0.15 * n, np.array([1.0 + 0.15 * n, 2.5, 1.4])) for n in range(12)]
    wall = np.random.default_rng(0).uniform([4.0, -4.0, -2.0], [4.02, 8.0, 5.0], (800, 3))
    passing = [looking(0.0, np.array([1.0, 0.2 * n, 1.4])) for n in range(12)]
    assert focal_sigmas(reconstructed(turning, room()))["walk"] < 0.02
    assert focal_sigmas(reconstructed(passing, wall))["walk"] > 0.1


def test_more_noise_leaves_it_less_sure():
    turning = [looking(0.15 * n, np.array([1.0 + 0.15 * n, 2.5, 1.4])) for n in range(12)]
    fine, coarse = (focal_sigmas(reconstructed(turning, room(), noise))["walk"] for noise in (0.3, 1.2))
    assert 2 * fine < coarse < 8 * fine


@pytest.mark.parametrize(
    ("given_px", "guessed", "sigma", "said"),
    [
        (None, ["walk"], 0.004, ["guessed before, is 520.0 +- 2.1 pixels"]),
        (None, ["walk"], 0.4, ["stays open"]),
        (530.0, ["walk"], 0.004, ["guessed before"]),
        (364.0, ["walk"], 0.004, ["guessed before", "says 364 pixels, which does not fit"]),
        (525.0, [], 0.004, []),
        (364.0, [], 0.004, ["say 364 pixels, the map 520"]),
    ],
)
def test_people_are_told(given_px, guessed, sigma, said):
    given = ASSUMED if given_px is None else replace(OWN, params=(given_px, *OWN.params[1:]))
    texts = focal_texts({"walk": given}, guessed, {"walk": OWN}, {"walk": sigma})
    assert len(texts) == len(said)
    assert all(words in text for words, text in zip(said, texts, strict=True))
