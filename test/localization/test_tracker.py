"""The tracker on the small room's later drive: it follows, says nothing rather than something wrong, and recovers."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.evaluation.run import frames_with_camera
from campose_core.frame import Frame
from campose_core.geometry import Pose, pose_error
from campose_core.landmark_map.aligned import aligned_landmarks
from campose_core.landmark_map.covisibility import Keyframes
from campose_core.landmark_map.intrinsics import RefinedCameras
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.localization.estimators.base import PosePrior
from campose_core.localization.tracker import Tracker
from campose_core.scene.scene import Scene
from campose_core.trajectory import read_tum

pytestmark = pytest.mark.slow

COVARIANCE = np.diag([0.05**2] * 3 + [0.05**2] * 3)


class Drive(NamedTuple):
    landmarks: Landmarks
    frames: list[tuple[Frame, Camera]]
    truth: list[Pose]

    def tracker(self) -> Tracker:
        return Tracker(self.landmarks, Keyframes(self.landmarks))


@pytest.fixture(scope="module")
def drive(small_scene, small_world) -> Drive:
    scene, path = Scene.open(small_scene), small_world / "later.bag"
    refined = RefinedCameras(scene)
    frames = [(frame, refined(camera)) for frame, camera in frames_with_camera(scene, open_recording(path), None, "")]
    truth = dict(read_tum(small_world / "later.tum"))
    # As fast as a camera of thirty images a second (four were drawn): of slow ones all images are searched.
    faster = [(frame._replace(stamp_ns=frame.stamp_ns // 8), camera) for frame, camera in frames]
    return Drive(aligned_landmarks(scene), faster, [truth[frame.stamp_ns] for frame, _ in frames])


def prior_near(pose: Pose, seed: int = 0) -> PosePrior:
    """A prior that errs as its covariance says."""
    noise = 0.05 * np.random.default_rng(seed).standard_normal(6)
    return PosePrior(Pose(Rotation.from_rotvec(noise[3:]) * pose.rotation, pose.translation + noise[:3]), COVARIANCE)


def test_follows_a_drive(drive):
    """The prior is where the last image was: what moved since then is for the tracker to find."""
    tracker, last, errors, by_looks = drive.tracker(), drive.truth[0], [], 0
    for (frame, camera), truth in zip(drive.frames, drive.truth, strict=True):
        found = tracker.track(frame, camera, PosePrior(last, 4 * COVARIANCE))
        assert found is not None, frame.name
        errors.append(pose_error(found.world_from_cam, truth))
        assert len(found.inliers) >= 20
        np.linalg.cholesky(found.covariance)  # finite and positive definite
        assert len(found.pixels) == len(found.xyz) == len(found.inliers)
        offsets = camera.project(found.world_from_cam.inverse().transform(found.xyz)) - found.pixels
        assert np.median(np.linalg.norm(offsets, axis=1)) < 1.5
        by_looks += tracker.followed
        last = found.world_from_cam
    assert (np.median(errors, axis=0) < (0.02, np.radians(0.5))).all()
    assert (np.max(errors, axis=0) < (0.04, np.radians(1.0))).all()
    assert by_looks > 0.6 * len(drive.frames)


def test_a_slow_camera_is_searched_in_each_image(drive):
    tracker = drive.tracker()
    for (frame, camera), truth in zip(drive.frames[:5], drive.truth, strict=False):
        assert tracker.track(frame._replace(stamp_ns=8 * frame.stamp_ns), camera, prior_near(truth)) is not None
        assert not tracker.followed


@pytest.mark.parametrize("refresh", [False, True])
def test_the_same_images_give_the_same_poses(drive, refresh):
    """Whether there was time between them or not."""
    tracker, runs = drive.tracker(), []
    for refreshed in (False, refresh):
        tracker.reset()
        poses = []
        for seed, ((frame, camera), truth) in enumerate(zip(drive.frames[:8], drive.truth, strict=False)):
            poses.append(tracker.track(frame, camera, prior_near(truth, seed)))
            if refreshed:
                tracker.refresh()
        runs.append([(*pose.world_from_cam.translation, *pose.covariance.ravel()) for pose in poses if pose])
    assert len(runs[0]) == 8
    assert runs[0] == runs[1]


@pytest.mark.parametrize("what", ["black", "white", "noise", "corner"])
def test_says_nothing_of_what_shows_nothing_and_recovers(drive, what):
    tracker = drive.tracker()
    (frame, camera), truth = drive.frames[0], drive.truth[0]
    assert tracker.track(frame, camera, prior_near(truth)) is not None
    hidden = {
        "black": np.zeros_like(frame.image),
        "white": np.full_like(frame.image, 255),
        "noise": np.random.default_rng(0).integers(0, 256, frame.image.shape, dtype=np.uint8),
        "corner": np.where(in_corner(frame.image), frame.image, 0).astype(np.uint8),
    }[what]
    for _ in range(2):
        assert tracker.track(frame._replace(image=hidden), camera, prior_near(truth)) is None
        assert not tracker.followed
    for seed, ((frame, camera), truth) in enumerate(zip(drive.frames[1:4], drive.truth[1:4], strict=True)):
        found = tracker.track(frame, camera, prior_near(truth, seed))
        assert found is not None
        assert pose_error(found.world_from_cam, truth)[0] < 0.02


def in_corner(image: np.ndarray) -> np.ndarray:
    """The sixteenth of the image that is left when a hand covers the rest."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    return ((rows < height / 4) & (columns < width / 4))[..., None]


@pytest.mark.parametrize("anchored", [False, True])
def test_a_prior_at_the_wrong_place_gives_no_pose(drive, anchored):
    tracker = drive.tracker()
    for index in range(0, len(drive.frames), 6):
        (frame, camera), truth = drive.frames[index], drive.truth[index]
        if anchored:
            assert tracker.track(frame, camera, prior_near(truth)) is not None
        turned = Pose(Rotation.from_rotvec([0, 0, np.pi]) * truth.rotation, truth.translation)
        moved = Pose(truth.rotation, truth.translation + np.array([0.0, 0.0, 5.0]))
        for wrong in (turned, moved):
            assert tracker.track(frame, camera, PosePrior(wrong, COVARIANCE)) is None


def test_another_view_is_not_taken_for_the_old_one(drive):
    """Carried away between two images: the prior is still where the camera was."""
    tracker, compared = drive.tracker(), 0
    for index in range(0, len(drive.frames), 4):
        other = (index + len(drive.frames) // 2) % len(drive.frames)
        _, angle = pose_error(drive.truth[index], drive.truth[other])
        if angle < np.radians(60):
            continue
        tracker.reset()
        assert tracker.track(drive.frames[index][0], drive.frames[index][1], prior_near(drive.truth[index]))
        found = tracker.track(drive.frames[other][0], drive.frames[other][1], prior_near(drive.truth[index]))
        assert found is None or pose_error(found.world_from_cam, drive.truth[other])[0] < 0.05
        compared += 1
    assert compared


@pytest.mark.parametrize("other", ["smaller", "larger", "lens"])
def test_the_camera_may_change_on_the_way(drive, other):
    """Images of another size, or through a lens with distortion; later those of the first camera again."""
    tracker = drive.tracker()
    for index, ((frame, camera), truth) in enumerate(zip(drive.frames[:9], drive.truth, strict=False)):
        image = frame.image
        if index // 3 == 1:
            image, camera = through(other, image, camera)
        found = tracker.track(frame._replace(image=image), camera, prior_near(truth, index))
        assert found is not None
        assert not tracker.followed or index % 3 > 0  # nothing is followed into another camera
        assert pose_error(found.world_from_cam, truth)[0] < 0.03


def through(other: str, image: np.ndarray, camera: Camera) -> tuple[np.ndarray, Camera]:
    """The image that another camera would have taken."""
    cv2 = pytest.importorskip("cv2")
    if other != "lens":
        camera = camera.resized(*(round(side * {"smaller": 0.75, "larger": 2.0}[other]) for side in image.shape[1::-1]))
        return cv2.resize(image, (camera.width, camera.height), interpolation=cv2.INTER_AREA), camera
    lens = Camera("OPENCV", camera.width, camera.height, (*camera.focal, *camera.centre, -0.15, 0.02, 0.001, 0.0))
    columns, rows = np.meshgrid(np.arange(lens.width, dtype=np.float64), np.arange(lens.height, dtype=np.float64))
    pixels = np.stack([columns.ravel(), rows.ravel()], axis=1)[:, None]
    straight = cv2.undistortPoints(pixels, lens.matrix(), np.array(lens.params[4:]))[:, 0]
    source = camera.project(np.column_stack([straight, np.ones(len(straight))])).astype(np.float32)
    return cv2.remap(image, source.reshape(lens.height, lens.width, 2), None, cv2.INTER_LINEAR), lens


def test_exposure_may_jump(drive):
    tracker = drive.tracker()
    for index, ((frame, camera), truth) in enumerate(zip(drive.frames[:10], drive.truth, strict=False)):
        image = (frame.image * (0.7 if index % 4 >= 2 else 1.0)).astype(np.uint8)
        found = tracker.track(frame._replace(image=image), camera, prior_near(truth, index))
        assert found is not None
        assert pose_error(found.world_from_cam, truth)[0] < 0.02
