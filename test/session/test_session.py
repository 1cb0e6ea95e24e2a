"""The localization session: what it takes of the messages it hears, what it refuses, and in which words.

Messages are those of rosbags; test/ros/test_odd_messages.py brings the same to a running node.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from recordings import Messages
from scipy.spatial.transform import Rotation
from scripted_estimator import CAMERA, PERIOD_NS, START_NS, ScriptedEstimator, at, stamp

from campose_core.bag.camera_info import read_camera_info
from campose_core.bag.cdr import Cdr
from campose_core.bag.transforms import MAX_LINKS
from campose_core.errors import CaptureError, LocalizationError, TransformError
from campose_core.frame import Frame
from campose_core.geometry import Pose, pose_error
from campose_core.landmark_map.camera_estimate import GUESS_SIGMA
from campose_core.localization.localizer import Localizer
from campose_core.localization.result import Status
from campose_core.session.camera import InfoTopic, SessionCamera
from campose_core.session.heard_transforms import HeardTransforms
from campose_core.session.session import (
    LATE_NS,
    MAX_FRAMES,
    ONLY_CAMERA,
    ImageTooLate,
    LocalizationSession,
    SessionFrames,
)

ROS, IMAGES = Cdr().messages, Messages()
BASE_FROM_CAM = Pose(Rotation.from_euler("x", -1.5), np.array([0.1, 0.0, 0.5]))
OPTICAL = "camera_optical"
PIXELS = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)


class Heard(SimpleNamespace):
    """A session whose estimator knows where the camera is at the stamps 0..19, and what it refused."""

    session: LocalizationSession
    transforms: HeardTransforms
    refused: list

    def see(self, index, name=ONLY_CAMERA):
        return self.session.see(name, [IMAGES.image(stamp(index), PIXELS)], 0.0)

    def words(self):
        return [str(refusal) for refusal in self.refused]


def heard(*cameras, **frames):
    refused = []
    transforms = HeardTransforms(refused.append)
    localizer = Localizer(ScriptedEstimator({stamp(i): at(1.0 + 0.05 * i) for i in range(20)}))
    cameras = cameras or (SessionCamera(ONLY_CAMERA, Pose.identity(), CAMERA),)
    session = LocalizationSession(localizer, cameras, SessionFrames(**frames), transforms, refused.append)
    return Heard(session=session, transforms=transforms, refused=refused)


def by_tf():
    return heard(SessionCamera(ONLY_CAMERA, None, CAMERA), base_frame="base_link")


def link(parent, child, stamp_ns, pose=BASE_FROM_CAM, **rotation):
    message = ROS.transform_stamped(parent, child, stamp_ns, pose)
    for name, value in rotation.items():
        setattr(message.transform.rotation, name, value)
    return message


def odometry(index, frame_id="odom", child="base_link", x=0.0, w=1.0):
    pose = Pose(Rotation.identity(), np.array([0.05 * index, 0.0, 0.0]))
    still = np.zeros(3)
    message = ROS.odometry(frame_id, child, stamp(index), pose, still, still)
    message.pose.pose.position.x += x
    message.pose.pose.orientation.w = w
    return message


def test_links_beside_a_bad_one_count_whichever_it_is():
    robot = by_tf()
    robot.transforms.take_static(ROS.tf(link("mast", OPTICAL, 0)))  # static: a stamp of zero means nothing
    good = link("base_link", "mast", START_NS, Pose.identity())
    for bad in (
        link("base_link", "lidar", START_NS, w=2.0),
        link("base_link", "arm", START_NS, x=math.nan),
        link("base_link", "lamp", 0),
    ):
        robot.transforms.take_moving(ROS.tf(bad, good, bad))
    assert pose_error(robot.see(0).base_from_cam, BASE_FROM_CAM) == pytest.approx((0.0, 0.0), abs=1e-9)
    norm, not_a_number, zero = robot.words()[::2]
    assert norm.startswith("tf base_link -> lidar refused: a quaternion (x, y, z, w) must be of length 1, got [")
    assert not_a_number.startswith("tf base_link -> arm refused: a quaternion (x, y, z, w) must be 4 finite numbers")
    assert zero == "tf base_link -> lamp refused: its stamp is zero"


def test_an_image_whose_camera_tf_does_not_place_is_refused_and_the_next_one_is_not():
    robot = by_tf()
    with pytest.raises(TransformError, match="tf does not say where 'camera_optical' sits on 'base_link': no transf"):
        robot.see(0)
    robot.transforms.take_moving(ROS.tf(link("/base_link", "/camera_optical", stamp(1))))  # as ROS 1 wrote frames
    assert robot.see(1) is not None


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (odometry(0, child="base_footprint"), "it is of base_footprint, and base_frame is base_link"),
        (odometry(0, frame_id="world"), "it is in world, and odom_frame is odom"),
        (odometry(0, w=0.5), "a quaternion (x, y, z, w) must be of length 1, got [0.0, 0.0, 0.0, 0.5]"),
        (odometry(0, x=math.nan), "a translation must be 3 finite numbers"),
    ],
    ids=["child", "parent", "length", "nan"],
)
def test_odd_odometry_is_refused_and_the_answer_says_so(odd, reason):
    robot = heard(base_frame="base_link", odom_frame="odom")
    robot.session.take_odometry(odd)
    assert robot.words()[0].startswith(f"odometry refused: {reason}")
    assert robot.see(0).no_odometry.startswith(f"refused: {reason}")
    for index in (1, 2):
        robot.session.take_odometry(odometry(index))
    answer = robot.see(2)
    assert answer.no_odometry == ""
    assert answer.odom_from_base.translation[0] == pytest.approx(0.1)


def test_odometry_without_a_stamp_does_not_end_what_came_before():
    robot = heard()
    for index in (0, 1):
        robot.session.take_odometry(odometry(index))
    stampless = odometry(1)
    stampless.header = ROS.header("odom", 0)
    robot.session.take_odometry(stampless)
    assert robot.words() == ["odometry refused: its stamp is zero"]
    assert robot.see(1).odom_from_base is not None


@pytest.mark.parametrize("frame_id", ["", "/odom", "odom"])
def test_frames_that_a_message_leaves_open_or_writes_with_a_slash_are_the_ones_meant(frame_id):
    robot = heard(base_frame="base_link", odom_frame="odom")
    robot.session.take_odometry(odometry(0, frame_id=frame_id, child=frame_id.replace("odom", "base_link")))
    assert robot.words() == []
    assert robot.see(0).odom_from_base is not None


def test_an_initialpose_of_another_frame_changes_nothing():
    robot = heard(map_frame="hall")
    assert robot.see(0).started_over
    assert not robot.session.take_initialpose(ROS.pose_with_covariance("odom", 1, at(0.0), np.eye(6)))
    assert robot.words() == ["initialpose refused: it is in odom, and map_frame is hall"]
    assert not robot.see(1).started_over
    assert robot.session.take_initialpose(ROS.pose_with_covariance("hall", 1, at(0.0), np.eye(6)))
    assert robot.see(2).started_over


def test_camera_info_that_describes_no_camera_is_named_in_each_image_that_it_costs():
    robot = heard(SessionCamera(ONLY_CAMERA, Pose.identity(), None, InfoTopic("/eye_info", read_camera_info)))
    with pytest.raises(LocalizationError, match=r"no intrinsics: nothing came on /eye_info; .* camera_source:=scene"):
        robot.see(0)
    robot.session.take_camera_info(ONLY_CAMERA, IMAGES.camera_info(stamp(0)))
    assert robot.see(0).camera.focal[0] == 50.0
    robot.session.take_camera_info(ONLY_CAMERA, IMAGES.camera_info(stamp(1), focal=0.0))
    (words,) = robot.words()
    assert words.startswith("camera_info refused: ")
    with pytest.raises(LocalizationError, match="no intrinsics: /eye_info: ") as refused:
        robot.see(1)
    assert words.removeprefix("camera_info refused: ") in str(refused.value)
    robot.session.take_camera_info(ONLY_CAMERA, IMAGES.camera_info(stamp(1), focal=60.0))
    assert robot.see(1).camera.focal[0] == 60.0


def test_an_empty_camera_info_leaves_what_is_known_and_half_a_calibration_is_a_first_guess():
    robot = heard(camera := SessionCamera(ONLY_CAMERA, Pose.identity(), None, InfoTopic("/eye_info", read_camera_info)))
    empty = {"k": np.zeros(9), "p": np.zeros(12), "d": np.zeros(0), "distortion_model": "", "width": 0, "height": 0}
    robot.session.take_camera_info(ONLY_CAMERA, IMAGES.camera_info(stamp(0), **empty))
    with pytest.raises(LocalizationError, match="no intrinsics: /eye_info: camera_info is empty"):
        robot.see(0)
    robot.session.take_camera_info(ONLY_CAMERA, IMAGES.camera_info(stamp(0), distortion_model="of_our_own"))
    assert robot.words()[-1].endswith(
        "unsupported distortion: 'of_our_own' with 5 numbers: its focal length is a first guess"
    )
    assert (robot.see(0).camera.model, robot.see(1).camera.focal[0], camera.is_guess) == ("SIMPLE_RADIAL", 50.0, True)
    assert robot.see(2).camera.focal_sigma == GUESS_SIGMA  # in the covariance of every answer
    robot.session.take_camera_info(ONLY_CAMERA, IMAGES.camera_info(stamp(2), focal=60.0))
    robot.session.take_camera_info(ONLY_CAMERA, IMAGES.camera_info(stamp(2), **empty))
    robot.session.take_camera_info(ONLY_CAMERA, IMAGES.camera_info(stamp(2), distortion_model="of_our_own"))
    assert (robot.see(3).camera.focal[0], camera.is_guess) == (60.0, False)
    assert robot.see(4).camera.focal_sigma == 0.0
    assert len(robot.words()) == 4


def test_images_without_a_stamp_late_or_damaged_are_refused_and_the_next_one_is_not():
    robot = heard()
    with pytest.raises(LocalizationError, match="the image's stamp is zero: its driver must stamp it"):
        robot.session.see(ONLY_CAMERA, [IMAGES.image(0, PIXELS)], 0.0)
    robot.see(5)
    with pytest.raises(ImageTooLate, match=r"0\.100 s older than the last one"):
        robot.see(4)
    with pytest.raises(CaptureError):
        robot.session.see(ONLY_CAMERA, [IMAGES.compressed(stamp(6), b"no jpeg")], 0.0)
    assert robot.see(7).result.stamp_ns == stamp(7)
    assert PERIOD_NS * 7 > LATE_NS
    assert robot.see(0).result.stamp_ns == stamp(0)  # a bag that starts over


def test_an_image_with_the_stamp_of_the_one_before_is_refused_of_the_same_camera():
    robot = heard(*(SessionCamera(name, Pose.identity(), CAMERA) for name in ("left", "right")))
    for index in range(3):
        for name in ("left", "right"):  # which may well be triggered together
            assert robot.see(index, name).result.stamp_ns == stamp(index)
            with pytest.raises(ImageTooLate, match="has the stamp of the one before: its driver must stamp each"):
                robot.see(index, name)


def test_an_image_that_was_refused_may_come_again():
    robot = by_tf()
    with pytest.raises(TransformError):
        robot.see(0)
    robot.transforms.take_static(SimpleNamespace(transforms=[link("base_link", OPTICAL, 0)]))
    assert robot.see(0).result.stamp_ns == stamp(0)


def test_the_newest_of_several_images_is_localized():
    robot = heard()
    waiting = [IMAGES.image(stamp(0), PIXELS), IMAGES.compressed(stamp(1), b"no jpeg"), IMAGES.image(stamp(2), PIXELS)]
    assert robot.session.see(ONLY_CAMERA, waiting, 0.0).result.stamp_ns == stamp(2)


def test_a_driver_that_names_each_image_differently_is_one_camera():
    robot = heard()
    for i in range(20):
        image = IMAGES.image(stamp(i), PIXELS)
        image.header.frame_id = f"frame {i}"
        frame = robot.session.see(ONLY_CAMERA, [image], 0.0).frame.camera_frame
        assert frame == (f"frame {i}" if i < MAX_FRAMES else ONLY_CAMERA)


def test_frames_of_tf_that_never_end_are_refused_and_the_known_ones_go_on():
    robot = by_tf()
    robot.transforms.take_static(SimpleNamespace(transforms=[link("base_link", OPTICAL, 0)]))
    for i in range(2 * MAX_LINKS):
        robot.transforms.take_moving(SimpleNamespace(transforms=[link("odom", f"junk {i}", stamp(0))]))
    assert len(robot.refused) == MAX_LINKS + 1
    assert robot.words()[-1] == (
        f"tf odom -> junk {2 * MAX_LINKS - 1} refused: tf has {MAX_LINKS} frames already, more than a robot has"
    )
    robot.transforms.take_moving(SimpleNamespace(transforms=[link("odom", "junk 0", stamp(1))]))
    assert len(robot.refused) == MAX_LINKS + 1
    assert robot.see(0).result.stamp_ns == stamp(0)


def test_cameras_whose_drivers_stamp_with_one_frame_are_told_apart():
    robot = heard(*(SessionCamera(name, Pose.identity(), CAMERA) for name in ("left", "right")))
    frames = [robot.see(index, name).frame.camera_frame for index, name in enumerate(["left", "right", "left"])]
    assert frames == [OPTICAL, "right", OPTICAL]


def test_cameras_that_contradict_each_other_are_called_as_their_parameters_are():
    """Turned by half a turn, the mounting of the rear one puts the base elsewhere than the front one's does."""
    turned = Pose(Rotation.from_euler("z", math.pi), np.array([2.0, 0.0, 0.0]))
    robot = heard(SessionCamera("front", Pose.identity(), CAMERA), SessionCamera("rear", turned, CAMERA))
    answers = [robot.see(i, ("front", "rear")[i % 2]) for i in range(10)]
    assert answers[-1].result.reason == "a first pose: front and rear contradict each other: check base_from_camera"
    assert [answer.frame.camera_frame for answer in answers[:2]] == [OPTICAL, "rear"]  # as tf and viewers know them


def test_images_that_stay_away_end_no_prediction_where_odometry_tells_the_way():
    """Nine seconds without an image, out and back; the first image after them is of nothing known, and the next."""
    out = 0.5 * np.concatenate([np.arange(10), np.arange(10, 55), np.arange(55, 0, -1)]) / 10.0

    def odometry_at(i):
        pose = Pose(Rotation.identity(), np.array([out[i], 0.0, 0.0]))
        return ROS.odometry("odom", "base_link", stamp(i), pose, np.zeros(3), np.zeros(3))

    def drive(images, odometry, seen):
        localizer = Localizer(ScriptedEstimator({stamp(i): at(out[i]) for i in seen}))
        session = LocalizationSession(localizer, [SessionCamera(ONLY_CAMERA, Pose.identity(), CAMERA)])
        results = {}
        for i in range(105):
            if i in odometry:
                session.take_odometry(odometry_at(i))
            if i in images:
                results[i] = session.see(ONLY_CAMERA, [IMAGES.image(stamp(i), PIXELS)], 0.0).result
        return results

    images = [*range(10), *range(100, 105)]
    results = drive(images, range(105), seen=[*range(10), *range(102, 105)])
    assert [results[i].status for i in (100, 101)] == [Status.PREDICTED] * 2
    assert [results[i].status for i in (102, 103)] == [Status.TRACKING] * 2  # it agrees: at once
    predicted = results[100]
    assert pose_error(predicted.map_from_base, at(out[100]))[0] < 0.02
    # It went 5 m though it is back: the ends alone would claim to know it to a centimetre.
    assert np.sqrt(predicted.covariance[0, 0]) > 0.02
    blind = drive(images, [*range(10), *range(100, 105)], seen=range(10))
    assert blind[100].status is Status.LOST
    elsewhere = Localizer(ScriptedEstimator({stamp(i): at(out[i]) for i in range(10)} | {stamp(100): at(1.5)}))
    for i in images[:11]:
        way = [(stamp(k), at(out[k])) for k in range(10, 100)] if i == 100 else []
        frame = Frame(stamp(i), PIXELS, "camera", "")
        last = elsewhere.localize(frame, CAMERA, odom_from_base=at(out[i]), way=way)
    assert last.map_from_base is None  # within reach of the pause, but not where the wheels went
