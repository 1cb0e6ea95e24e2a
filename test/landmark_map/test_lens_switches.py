"""A lens that switches in a recording: found by a step in the scale of the images, confirmed by focal lengths."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from campose_core.camera import Camera
from campose_core.landmark_map.colmap import load_pycolmap, to_colmap_camera
from campose_core.landmark_map.intrinsics import lens_of, source_of_lens
from campose_core.landmark_map.lens_switches import LensSwitch, confirmed, possible_switches, switch_texts

WIDTH, HEIGHT, FRAMES, EVERY = 320, 240, 27, 3
CENTRE = np.array([WIDTH, HEIGHT]) / 2
CAMERA = Camera.from_field_of_view(WIDTH, HEIGHT, 60.0)


def shown(wall, frame, zooms):
    """Pixels of points on a wall that the camera walks along and nears by a hundredth each frame."""
    zoom = zooms[frame] * 1.01**frame
    return CENTRE + zoom * (wall - CENTRE - [1.5 * frame, 0.0])


def walked(tmp_path, zooms, pictures=True):
    """A database of every third frame as a keyframe, and all frames as images."""
    pycolmap, generator = load_pycolmap(), np.random.default_rng(0)
    wall = generator.uniform([0, 0], [WIDTH, HEIGHT], (400, 2))
    canvas = Image.fromarray(generator.integers(0, 255, (60, 100), np.uint8)).resize(
        (800, 480), Image.Resampling.BICUBIC
    )
    folder = tmp_path / "frames" / "walk"
    folder.mkdir(parents=True)
    names = [f"walk/{frame:06d}.jpg" for frame in range(FRAMES)]
    for frame, name in enumerate(names if pictures else names[::EVERY]):
        at = frame if pictures else EVERY * frame
        scale = 1.0 / (zooms[at] * 1.01**at)
        left, top = np.array([400 + 1.5 * at, 240]) - scale * CENTRE
        view = canvas.transform((WIDTH, HEIGHT), Image.Transform.AFFINE, (scale, 0, left, 0, scale, top))
        view.save(folder.parent / name)
    database = tmp_path / "database.db"
    with pycolmap.Database.open(database) as db:
        camera_id = db.write_camera(to_colmap_camera(CAMERA))
        ids = []
        for frame in range(0, FRAMES, EVERY):
            ids.append(db.write_image(pycolmap.Image(name=names[frame], camera_id=camera_id)))
            db.write_keypoints(ids[-1], shown(wall, frame, zooms).astype(np.float32))
        for first, second in pairwise(ids):
            geometry = pycolmap.TwoViewGeometry()
            geometry.inlier_matches = np.repeat(np.arange(len(wall), dtype=np.uint32), 2).reshape(-1, 2)
            geometry.config = pycolmap.TwoViewGeometryConfiguration.CALIBRATED
            db.write_two_view_geometry(first, second, geometry)
    return possible_switches(database, folder.parent, {"walk": names[::EVERY]})


def steps(at, zoom, back=FRAMES):
    return [zoom if at <= frame < back else 1.0 for frame in range(FRAMES)]


@pytest.mark.parametrize("zoom", [0.6, 0.85, 1.2, 2.0])
def test_a_switch_is_found_at_its_frame_between_two_keyframes(tmp_path, zoom):
    (switch,) = walked(tmp_path, steps(13, zoom))
    assert switch.first == "walk/000013.jpg"
    assert switch.log_zoom == pytest.approx(np.log(zoom), abs=0.03)


def test_a_zoom_and_back_is_two_switches(tmp_path):
    there, back = walked(tmp_path, steps(9, 1.5, back=16))
    assert (there.first, back.first) == ("walk/000009.jpg", "walk/000016.jpg")
    assert there.log_zoom == pytest.approx(-back.log_zoom, abs=0.05)


def test_where_only_keyframes_are_there_the_next_one_is_named(tmp_path):
    (switch,) = walked(tmp_path, steps(13, 1.3), pictures=False)
    assert switch.first == "walk/000015.jpg"


def test_who_walks_ahead_switches_nothing(tmp_path):
    assert walked(tmp_path, [1.0] * FRAMES) == []


def test_who_walks_faster_for_a_moment_switches_nothing(tmp_path):
    """As much nearer from one keyframe to the next as a zoom, but a little with each image."""
    faster = [1.0] * 12 + [1.07, 1.14, 1.22] + [1.22] * 12
    assert walked(tmp_path, faster) == []


def model(focal):
    """A Reconstruction of a walk without landmarks, an image for each focal length; equal ones are of one camera."""
    pycolmap = load_pycolmap()
    made, ids = pycolmap.Reconstruction(), {}
    for number, pixels in enumerate(focal):
        if pixels not in ids:
            ids[pixels] = len(ids) + 1
            made.add_camera_with_trivial_rig(
                pycolmap.Camera(
                    model="SIMPLE_PINHOLE", width=WIDTH, height=HEIGHT, params=[pixels, 160, 120], camera_id=ids[pixels]
                )
            )
        image = pycolmap.Image(name=f"walk/{number:06d}.jpg", camera_id=ids[pixels], image_id=number + 1)
        made.add_image_with_trivial_frame(image, pycolmap.Rigid3d())
    return made


def test_focal_lengths_confirm_a_switch_or_refute_it():
    switches = [LensSwitch("walk/000004.jpg", np.log(1.3))]
    assert confirmed(model([300.0] * 4 + [390.0] * 4), switches) == switches
    assert confirmed(model([300.0] * 4 + [309.0] * 4), switches) == []
    assert confirmed(model([300.0] * 4 + [390.0] * 2), switches) == []  # too few images to say it
    both = [*switches, LensSwitch("walk/000008.jpg", 0.2)]
    assert confirmed(model([300.0] * 4 + [390.0] * 4 + [391.0] * 4), both) == switches


def test_each_lens_has_a_name_that_is_no_source():
    switches = ["walk/000004.jpg", "walk/000008.jpg", "other/000001.jpg"]
    names = [lens_of(f"walk/{number:06d}.jpg", switches) for number in (0, 3, 4, 7, 8, 11)]
    assert names == ["walk", "walk", "walk#2", "walk#2", "walk#3", "walk#3"]
    assert {source_of_lens(name) for name in names} == {"walk"}
    cameras = {"walk": CAMERA, "walk#2": CAMERA, "other": CAMERA}
    first, *_ = switch_texts(switches[:1], [], cameras, {"walk/000004.jpg": 1_500_000_000})
    assert "the focal length of walk changes at 1.50 s" in first
