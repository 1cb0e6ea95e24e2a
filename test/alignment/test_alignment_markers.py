"""The map frame out of printed markers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landmark_rooms import CAMERA, looking
from PIL import Image
from scipy.spatial.transform import Rotation
from strategies import similarities

from campose_core.alignment.solvers.markers import CORNERS, align_to_markers, scale_of_markers, triangulate_corners
from campose_core.alignment.sources.markers import MarkerDetector, marker_evidence, read_markers
from campose_core.camera import Camera
from campose_core.capture.sources.bag import BagRecording
from campose_core.errors import AlignmentError
from campose_core.geometry import Pose
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene

# Markers on the wall y = 4, whose front looks along -y: x of the print along -x of the room, y up.
ON_WALL = Rotation.from_matrix(np.column_stack([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]]))
PLACES = {3: Pose(ON_WALL, np.array([1.0, 4.0, 1.5])), 9: Pose(ON_WALL, np.array([2.6, 4.0, 1.2]))}
SIZE = 0.2
CAMERAS = [looking(np.pi / 2 - 0.15 + 0.1 * i, np.array([1.2 + 0.5 * i, 1.0 + 0.2 * i, 1.3])) for i in range(4)]


def corners_seen(map_from_cam: Pose, number: int) -> np.ndarray:
    """Pixels (4, 2)."""
    return CAMERA.project(map_from_cam.inverse().transform(PLACES[number].transform(SIZE * CORNERS)))


def triangulated(map_from_sfm, noise_px: float = 0.0, seed: int = 0) -> dict[int, np.ndarray]:
    rng = np.random.default_rng(seed)
    cameras = [map_from_sfm.inverse().transform_pose(pose) for pose in CAMERAS]
    found = {}
    for number in PLACES:
        pixels = np.array([corners_seen(pose, number) + rng.normal(0, noise_px, (4, 2)) for pose in CAMERAS])
        found[number] = triangulate_corners(cameras, np.array([CAMERA.rays(one) for one in pixels]))
    return found


@settings(max_examples=15)
@given(similarities)
def test_places_give_the_frame_and_the_size_gives_the_scale(map_from_sfm):
    corners = triangulated(map_from_sfm)
    sizes = dict.fromkeys(corners, SIZE)
    found = align_to_markers(corners, sizes, PLACES)
    points = np.array([pose.translation for pose in CAMERAS])
    sfm = map_from_sfm.inverse().transform(points)
    np.testing.assert_allclose(found.map_from_sfm.transform(sfm), points, atol=1e-5)
    assert abs(found.residual.scale_percent) < 1e-3
    assert scale_of_markers(corners, sizes).scale == pytest.approx(map_from_sfm.scale, rel=1e-5)


@settings(max_examples=10)
@given(similarities, st.integers(0, 100))
def test_corners_that_are_off_by_a_part_of_a_pixel_move_the_scale_by_little(map_from_sfm, seed):
    found = scale_of_markers(triangulated(map_from_sfm, 0.2, seed), dict.fromkeys(PLACES, SIZE))
    assert found.scale == pytest.approx(map_from_sfm.scale, rel=0.03)
    assert found.markers == 2
    assert found.sigma < 0.03


def test_a_wrong_detection_among_several_moves_nothing():
    pixels = [corners_seen(pose, 3) for pose in CAMERAS] + [corners_seen(CAMERAS[0], 9)]
    rays = np.array([CAMERA.rays(one) for one in pixels])
    found = triangulate_corners([*CAMERAS, CAMERAS[0]], rays)
    assert found is not None
    np.testing.assert_allclose(found, PLACES[3].transform(SIZE * CORNERS), atol=0.01)


def test_one_view_or_views_from_one_place_do_not_tell():
    rays = np.array([CAMERA.rays(corners_seen(CAMERAS[0], 3))] * 2)
    assert triangulate_corners(CAMERAS[:1], rays[:1]) is None
    assert triangulate_corners([CAMERAS[0]] * 2, rays) is None
    with pytest.raises(AlignmentError, match="from two places"):
        scale_of_markers({}, {})
    with pytest.raises(AlignmentError, match=r"no marker of known place \(3, 9\) was triangulated; triangulated: 4"):
        align_to_markers({4: np.eye(4, 3)}, {4: SIZE}, PLACES)


def test_rays_are_those_that_the_camera_projects():
    camera = Camera("OPENCV", 640, 480, (400.0, 410.0, 319.5, 239.5, -0.25, 0.08, 0.001, -0.001))
    rays = np.random.default_rng(0).uniform(-0.6, 0.6, (50, 2))
    pixels = camera.project(np.column_stack([rays, np.ones(50)]))
    np.testing.assert_allclose(camera.rays(pixels), rays, atol=1e-6)


def photographed(map_from_cam: Pose, number: int, dictionary: str = "DICT_APRILTAG_36H11") -> np.ndarray:
    """A grey image (H, W) with the printed marker, on white paper, where the camera sees it."""
    cv2 = pytest.importorskip("cv2")
    side, margin = 200, 40
    aruco = cv2.aruco
    print_ = aruco.generateImageMarker(aruco.getPredefinedDictionary(getattr(aruco, dictionary)), number, side)
    paper = np.pad(print_, margin, constant_values=255)
    on_paper = np.array([[0, 0], [side, 0], [side, side], [0, side]], dtype=np.float32) + margin - 0.5
    finer = 4 * corners_seen(map_from_cam, number) + 1.5  # four pixels for one, then averaged: what a lens does
    warp = cv2.getPerspectiveTransform(on_paper, finer.astype(np.float32))
    return cv2.resize(cv2.warpPerspective(paper, warp, (2560, 1920), borderValue=128), (640, 480), interpolation=3)


def test_markers_in_the_pictures_of_a_scene_give_its_frame(tmp_path):
    (tmp_path / "frames" / "walk").mkdir(parents=True)
    frames, poses = [], {}
    for i, pose in enumerate(CAMERAS):
        for number in PLACES:
            name = f"walk/{i}-{number}.png"
            Image.fromarray(photographed(pose, number)).save(tmp_path / "frames" / name)
            frames.append(SceneFrame(name, "walk", 10 * i + number, "walk"))
            poses[name] = pose
    scene = Scene(tmp_path, "walk", {"walk": CAMERA}, {"walk": {}}, frames=tuple(frames))
    listed = "".join(
        f"  {number}: {{position: {pose.translation.tolist()}, quat_xyzw: {pose.quat_xyzw.tolist()}}}\n"
        for number, pose in PLACES.items()
    )
    (tmp_path / "markers.yaml").write_text(f"dictionary: apriltag_36h11\nsize_m: {SIZE}\nplaces:\n{listed}")
    found = marker_evidence(scene, poses, read_markers(tmp_path / "markers.yaml"))
    assert found.name == "places of 2 markers"
    points = np.array([pose.translation for pose in CAMERAS])
    off = np.linalg.norm(found.alignment.map_from_sfm.transform(points) - points, axis=1)
    assert off.max() < 0.05

    (tmp_path / "size.yaml").write_text(f"dictionary: APRILTAG_36h11\nsize_m: {2 * SIZE}\n")
    found = marker_evidence(scene, poses, read_markers(tmp_path / "size.yaml"))
    assert found.alignment is None
    assert found.scale == pytest.approx(2.0, rel=0.02)

    (tmp_path / "other.yaml").write_text(f"dictionary: 4x4_50\nsize_m: {SIZE}\n")
    with pytest.raises(AlignmentError, match="no marker of 4X4_50 is in any of the 8 registered frames"):
        marker_evidence(scene, poses, read_markers(tmp_path / "other.yaml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1\n", "needs `dictionary` and `size_m`"),
        ("dictionary: 4x4_50\n", "needs `dictionary` and `size_m`"),
        ("dictionary: 4x4_50\nsize_m: 0.1\nheight: 3\n", "needs `dictionary` and `size_m`"),
        ("dictionary: qr\nsize_m: 0.1\n", "unknown dictionary 'QR'; known: 4x4_100, .*apriltag_36h11"),
        ("dictionary: 4x4_50\nsize_m: -0.1\n", "size_m must be a positive number of metres, got -0.1"),
        ("dictionary: 4x4_50\nsize_m: 0.1\nplaces: [1]\n", "`places` must hold"),
        ("dictionary: 4x4_50\nsize_m: 0.1\nplaces: {7: {position: [1, 2, 3]}}\n", "marker 7 needs position"),
        (
            "dictionary: 4x4_50\nsize_m: 0.1\nplaces: {7: {position: [1, 2], quat_xyzw: [0, 0, 0, 1]}}\n",
            "marker 7 needs",
        ),
        ("a: [", "it is not yaml"),
    ],
)
def test_a_wrong_description_of_markers_is_named(tmp_path, text, message):
    pytest.importorskip("cv2")
    path = tmp_path / "markers.yaml"
    path.write_text(text)
    with pytest.raises(AlignmentError, match=message) as error:
        read_markers(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_markers_in_a_real_picture(shared_data):
    """Of a Raspberry Pi camera on a robot; the bag is UbiquityRobotics' own, fiducials of 5X5_1000."""
    frame = next(iter(BagRecording(shared_data / "bags" / "fiducials_aruco_images.bag").frames()))
    grey = np.asarray(Image.fromarray(frame.image).convert("L"))
    found = MarkerDetector("5X5_1000")(grey)
    assert {103, 106, 107, 110, 111, 112} <= found.keys()
    edges = {n: np.linalg.norm(c - np.roll(c, 1, axis=0), axis=1) for n, c in found.items()}
    assert all(e.min() > 40 and e.max() < 2 * e.min() for e in edges.values())
    assert not MarkerDetector("APRILTAG_36H11")(grey)


@pytest.mark.parametrize("name", ["tag36h11", "36h11", "DICT_APRILTAG_36h11", "apriltag_36h11"])
def test_a_family_is_known_by_the_names_that_people_give_it(tmp_path, name):
    (tmp_path / "markers.yaml").write_text(f"dictionary: {name}\nsize_m: 0.16\n")
    assert read_markers(tmp_path / "markers.yaml").dictionary == "APRILTAG_36H11"
