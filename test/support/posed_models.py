"""Reconstructions of a room as a mapper leaves them, without images or features: made of poses and points."""

import numpy as np

from campose_core.camera import Camera
from campose_core.landmark_map.colmap import load_pycolmap, to_colmap_camera, to_colmap_pose
from campose_core.landmark_map.focal_length import zoomed

OWN = Camera("SIMPLE_RADIAL", 640, 480, (520.0, 319.5, 239.5, 0.0))


def room(count=800):
    return np.random.default_rng(0).uniform([0.0, 0.0, 0.0], [6.0, 5.0, 2.6], (count, 3))


def reconstructed(poses, xyz, noise_px=0.5, zooms=(), aside_px=(0.0, 0.0)):
    """A model whose images show what is before them, all said to be by OWN; `zooms` are the images' true ones, and
    aside_px how far the centre of the lens truly is from OWN's."""
    pycolmap, generator = load_pycolmap(), np.random.default_rng(1)
    model, tracks = pycolmap.Reconstruction(), [[] for _ in xyz]
    camera = to_colmap_camera(OWN)
    camera.camera_id = 1
    model.add_camera_with_trivial_rig(camera)
    for number, pose in enumerate(poses, start=1):
        cam = pose.inverse().transform(xyz)
        true = zoomed(OWN, OWN.focal[0] * (zooms[number - 1] if len(zooms) else 1.0))
        pixels = true.cropped(-aside_px[0], -aside_px[1], 640, 480).project(cam)
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
