"""Published calibrations of cameras that people have: each lens maps, and its landmarks fall where it shows them."""

import numpy as np
import pytest
from lens_room import picture, walk
from PIL import Image

from campose_core.camera import Camera
from campose_core.capture.extract import extract
from campose_core.features.sift import SiftExtractor
from campose_core.geometry import pose_error
from campose_core.joining.robust_similarity import align_to_poses
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.lens import UNDISTORTED, with_lens, without_lens
from campose_core.landmark_map.pnp import LandmarkMatcher, solve_pnp
from campose_core.scene.scene import Scene
from campose_core.sfm.pipeline import MapOptions, map_scene
from campose_core.sfm.registration import SfmPoses

# At sizes that render in a moment. Kinect: TUM RGB-D freiburg1, as its authors published it. OAK-D, Azure Kinect,
# RealSense D435, T265: camera_info as their drivers print it. GoPro, phone: Kannala-Brandt and Brown fits of users.
LENSES = {
    "kinect": Camera(
        "FULL_OPENCV", 640, 480,
        (517.306408, 516.469215, 318.643040, 255.313989, 0.262383, -0.953104, -0.005358, 0.002628, 1.163314, 0, 0, 0),
    ),
    "oak_d": Camera(
        "OPENCV_THIN_PRISM", 640, 400,
        (451.1, 451.3, 323.4, 201.8, 7.2506, -15.5234, -0.0006, 0.0008, 10.49, 7.10, -15.2, 10.4,
         0.0005, -0.0003, -0.0004, 0.0002),
    ),
    "azure_kinect": Camera(
        "FULL_OPENCV", 640, 360,
        (302.8, 302.7, 319.1, 183.0, 0.4635, -2.4924, 0.000566, -0.000132, 1.4485, 0.3416, -2.3215, 1.3781),
    ),
    "realsense_d435": Camera("OPENCV", 640, 480, (615.3, 615.6, 318.2, 241.5, 0.138, -0.262, 0.0005, -0.0009)),
    "realsense_t265": Camera(
        "OPENCV_FISHEYE", 848, 800, (285.9, 286.1, 420.1, 403.5, -0.0067, 0.0486, -0.0452, 0.0084),
    ),
    "gopro": Camera("OPENCV_FISHEYE", 720, 540, (335.4, 335.4, 360.2, 268.9, 0.0411, 0.0073, -0.0025, 0.0004)),
    "phone": Camera("OPENCV", 640, 360, (498.2, 498.4, 321.0, 178.9, 0.082, -0.171, 0.0003, 0.0011)),
}  # fmt: skip


def pixel_grid(camera: Camera) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, camera.width - 1, 30), np.linspace(0, camera.height - 1, 20))
    return np.stack([x.ravel(), y.ravel()], axis=1)


# A fisheye is mapped every time (the other tests map radial lenses); `make long` maps them all.
EVERY_TIME = ("gopro",)


@pytest.mark.parametrize("name", LENSES)
def test_every_pixel_of_the_picture_has_a_ray_that_leads_back_to_it(name):
    camera = LENSES[name]
    pixels = pixel_grid(camera)
    rays = camera.rays(pixels)
    seen = np.isfinite(rays).all(axis=1)
    # The corners of a fisheye's sensor lie beyond a right angle.
    assert seen.mean() > (0.7 if camera.model == "OPENCV_FISHEYE" else 0.999)
    np.testing.assert_allclose(
        camera.project(np.column_stack([rays, np.ones(len(rays))]))[seen], pixels[seen], atol=1e-6
    )


@pytest.mark.parametrize("name", sorted(LENSES.keys() - {"realsense_t265"}))  # that one sees a right angle aside
def test_a_point_far_aside_is_not_folded_back_into_the_picture(name):
    camera = LENSES[name]
    edge = np.nanmax(np.hypot(*camera.rays(pixel_grid(camera)).T))
    angles = np.linspace(np.arctan(1.2 * edge), np.radians(89.9), 200)
    around = np.linspace(0, 2 * np.pi, 200)
    points = np.stack([np.tan(angles) * np.cos(around), np.tan(angles) * np.sin(around), np.ones(200)], axis=1)
    pixels = camera.project(points)
    inside = ((pixels >= 0) & (pixels < (camera.width, camera.height))).all(axis=1)
    assert not inside.any()


@pytest.mark.parametrize("name", [name for name, camera in LENSES.items() if camera.model in UNDISTORTED])
def test_what_an_adjustment_finds_comes_back_in_the_given_model(name):
    """The refined lens shows each ray where the given lens and COLMAP's undistorted camera together do."""
    given = LENSES[name]
    mapped = Camera("RADIAL", given.width, given.height, (0.97 * given.focal[0], *given.centre, 0.02, -0.03))
    refined = with_lens(mapped, given)
    pixels = pixel_grid(given)
    rays = mapped.rays(given.rays(pixels) * given.focal[0] + given.centre)
    off = np.linalg.norm(refined.project(np.column_stack([rays, np.ones(len(rays))])) - pixels, axis=1)
    assert np.median(off) < 0.1
    assert np.quantile(off, 0.99) < 0.5
    assert with_lens(without_lens(given), given).params == pytest.approx(given.params, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n if n in EVERY_TIME else pytest.param(n, marks=pytest.mark.long) for n in LENSES])
def test_a_calibrated_camera_maps_and_its_landmarks_fall_where_it_shows_them(name, tmp_path):
    camera, way = LENSES[name], walk()
    folder = tmp_path / "walk"
    folder.mkdir()
    for number, (_, pose) in enumerate(way):
        Image.fromarray(picture(camera, pose)).save(folder / f"{number:03d}.png")
    scene = map_scene(extract(Scene.open_or_create(tmp_path / "scene"), [folder], camera=camera), MapOptions())
    poses = SfmPoses.load(scene).poses()
    assert len(poses) == len(way)
    truth = {frame.name: way.pose(row) for row, frame in enumerate(sorted(scene.frames, key=lambda f: f.stamp_ns))}
    names = sorted(poses)
    map_from_sfm = align_to_poses([poses[n] for n in names], [truth[n] for n in names]).map_from_sfm
    errors = np.array([pose_error(map_from_sfm.transform_pose(poses[n]), truth[n]) for n in names])
    assert np.median(errors[:, 0]) < 0.01
    assert np.degrees(np.median(errors[:, 1])) < 0.2
    # The refined camera shows rays where the true one does, within a pixel and the focal length's own uncertainty.
    refined = scene.cameras["walk"]
    assert refined.model == camera.model
    assert refined.focal == pytest.approx(camera.focal, rel=0.01)
    landmarks = Landmarks.load(scene.sfm_dir / "landmarks.npz")
    frame = next(frame for frame in scene.frames if frame.name == names[len(names) // 2])
    features = SiftExtractor()(np.asarray(Image.open(scene.frame_path(frame)).convert("RGB")))
    seen, shown = LandmarkMatcher(landmarks)(features)
    found = solve_pnp(features.pixels[seen], landmarks.xyz[shown], refined)
    assert found is not None
    off = refined.project(found.world_from_cam.inverse().transform(found.xyz)) - found.pixels
    assert np.median(np.linalg.norm(off, axis=1)) < 1.0
