"""A bag that knows where its camera was: by TF, by topics, and what it does not take for the truth."""

import json
from itertools import pairwise

import numpy as np
import pytest
from bag_messages import TYPES, static
from recorded_walks import CAMERA, IMAGES, Walk
from recordings import jpeg, picture, write_bag

from campose_core.capture.external_poses import read_reference
from campose_core.cli.main import main
from campose_core.errors import CaptureError, TrajectoryError
from campose_core.geometry import Pose, pose_error
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory, write_tum

ODOMETRY, POSE, WITH_COVARIANCE = TYPES


def recorded(walk, every=1, topic=IMAGES):
    """Images at all stamps of the drive, and the bag."""
    image = jpeg(picture(0))
    for stamp in walk.base.stamps_ns[every::every].tolist():
        walk.entries.append((topic, stamp, walk.make.compressed(stamp, image)))
    return walk


def bag_of(walk, name="walk"):
    return write_bag(walk.folder / name, sorted(walk.entries, key=lambda entry: entry[1]))


def by_amcl(walk):
    """TF as a robot has it: a map that moves odometry's frame, now and then; the drifting odometry; /amcl_pose."""
    drifted = Trajectory(walk.base.stamps_ns, 1.02 * walk.base.positions, walk.base.rotations, "odom", "base_link")
    jumps = [base * odom.inverse() for (_, base), (_, odom) in zip(walk.base, drifted, strict=True)]
    walk.mounted().tf("odom", "base_link", drifted)
    walk.tf("map", "odom", Trajectory.from_poses(walk.base.stamps_ns, jumps))
    return walk.odometry().poses("/amcl_pose", walk.base.select(np.arange(len(walk.base)) % 10 == 0), WITH_COVARIANCE)


def farthest(found, walk):
    """Metres and degrees from the true path of the camera, at the stamps found."""
    answered, truth = walk.truth.interpolate(found.stamps_ns)
    assert answered.all()
    off = [pose_error(pose, true) for (_, pose), (_, true) in zip(found, truth, strict=True)]
    return np.max(off, axis=0)


def test_tf_leads_from_the_map_to_the_camera_at_each_image(tmp_path):
    walk = recorded(by_amcl(Walk(tmp_path, seconds=10.0)), every=3)
    found = read_reference(bag_of(walk))
    assert found.stamps_ns.tolist() == sorted(stamp for topic, stamp, _ in walk.entries if topic == IMAGES)
    assert max(farthest(found, walk)) < 1e-6
    sparse = read_reference(tmp_path / "walk:/amcl_pose")
    assert (len(sparse), max(farthest(sparse, walk)) < 1e-6) == (5, True)


@pytest.mark.parametrize(
    ("msgtype", "of_what"), [(ODOMETRY, "base"), (POSE, "base"), (WITH_COVARIANCE, "base"), (POSE, "camera")]
)
def test_a_topic_is_of_the_body_that_carries_the_camera_or_of_the_camera(tmp_path, caplog, msgtype, of_what):
    walk = Walk(tmp_path, seconds=4.0)
    walk.entries = []
    if of_what == "base":
        walk.mounted()
    walk.poses("/ground_truth", walk.base if of_what == "base" else walk.truth, msgtype, "world").odometry()
    with caplog.at_level("INFO"):
        found = read_reference(bag_of(recorded(walk)))
    assert max(farthest(found, walk)) < 1e-6
    assert ("of the camera, as it seems" in caplog.text) is (of_what == "camera")
    assert "reference: /ground_truth in world" in caplog.text


def test_what_is_not_the_truth_is_left_aside_and_what_is_doubtful_is_asked(tmp_path):
    walk = recorded(Walk(tmp_path, seconds=4.0).mounted().odometry().poses("/goal_pose", Walk(tmp_path).base, POSE))
    with pytest.raises(TrajectoryError, match=r"does not say where its camera was in a map: .* --tracker .*walk"):
        read_reference(bag_of(walk))
    walk.poses("/vicon", walk.base, POSE, "world").poses("/slam", walk.base, POSE, "map")
    bag = bag_of(walk, "two")
    with pytest.raises(TrajectoryError, match=r"/slam, /vicon say where its camera was: choose one, as in .*two:/slam"):
        read_reference(bag)
    with pytest.raises(TrajectoryError, match=r"'/odom' does not say where its camera was; these do: /slam, /vicon"):
        read_reference(tmp_path / "two:/odom")
    assert max(farthest(read_reference(tmp_path / "two:/vicon"), walk)) < 1e-6


def test_answers_that_were_recorded_are_not_the_truth_about_themselves(tmp_path):
    walk = recorded(by_amcl(Walk(tmp_path, seconds=4.0)))
    walk.entries = [entry for entry in walk.entries if entry[0] != "/amcl_pose"]
    walk.poses("/localizer/pose", walk.base, POSE, "map").poses("/localizer/pose_raw", walk.base, POSE, "map")
    with pytest.raises(TrajectoryError, match=r"campose itself answered while it was recorded; .* as in .*own:map"):
        read_reference(bag_of(walk, "own"))
    assert max(farthest(read_reference(tmp_path / "own:map"), walk)) < 1e-6  # who says so
    walk.poses("/mocap", walk.base, POSE, "map")
    assert max(farthest(read_reference(bag_of(walk, "tracked")), walk)) < 1e-6


def test_a_camera_must_be_there_be_one_and_sit_somewhere(tmp_path):
    walk = Walk(tmp_path, seconds=4.0)
    walk.entries = []
    walk.poses("/truth", walk.base, ODOMETRY, "map")
    with pytest.raises(TrajectoryError, match=r"blind: the poses in a bag are of a body, .* align with --tracker"):
        read_reference(bag_of(walk, "blind"))
    recorded(walk)
    with pytest.raises(TrajectoryError, match=rf"no static transform leads from base_link .* to .* {CAMERA}: record"):
        read_reference(bag_of(walk, "loose"))
    recorded(walk.mounted(), topic="/other/image/compressed")
    with pytest.raises(CaptureError, match="several image topics"):
        read_reference(bag_of(walk, "two"))
    assert max(farthest(read_reference(tmp_path / "two", IMAGES), walk)) < 1e-6


def test_tf_of_another_time_is_said(tmp_path):
    walk = Walk(tmp_path, seconds=4.0).mounted()
    later = Trajectory(walk.base.stamps_ns + 10**11, walk.base.positions, walk.base.rotations)
    with pytest.raises(TrajectoryError, match="/tf has no map -> camera_optical while images were taken"):
        read_reference(bag_of(recorded(walk.tf("map", "base_link", later))))


def test_a_map_is_aligned_and_answers_are_judged_by_the_bag_itself(tmp_path, capsys):
    walk = recorded(by_amcl(Walk(tmp_path)))
    scene = walk.scene()
    assert main(["align", str(scene.path), "--reference", str(tmp_path / "walk.bag")]) == 0
    placed = [(frame.stamp_ns, frame.map_from_cam) for frame in Scene.open(scene.path).frames]
    truth = dict(walk.truth)
    assert max(pose_error(pose, truth[stamp])[0] for stamp, pose in placed) < 0.02
    write_tum(tmp_path / "est.tum", Trajectory.from_poses(*zip(*placed, strict=True)))
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "est.tum"), str(tmp_path / "walk.bag"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recall"]["5cm/5deg"] == 1.0


def test_what_is_chosen_of_a_bag_aligns_it_too(tmp_path):
    walk = recorded(Walk(tmp_path).mounted().odometry().poses("/slam", Walk(tmp_path).base, POSE, "map"))
    walk.poses("/vicon", walk.base, POSE, "world")
    scene, bag = walk.scene(), tmp_path / "walk.bag"
    assert main(["align", str(scene.path), "--reference", f"{bag}:/nothing"]) == 1
    assert main(["align", str(scene.path), "--reference", f"{bag}:/vicon"]) == 0
    truth = dict(walk.truth)
    frames = Scene.open(scene.path).frames
    assert max(pose_error(frame.map_from_cam, truth[frame.stamp_ns])[0] for frame in frames) < 0.02


def test_a_time_in_the_name_of_a_bag_is_no_choice(tmp_path):
    walk = recorded(by_amcl(Walk(tmp_path, seconds=4.0)))
    bag = bag_of(walk, "walk_12:30:00")
    assert len(read_reference(bag)) == len(walk.base)
    assert len(read_reference(tmp_path / "walk_12:30:00:/amcl_pose")) == 2


STILL = Pose.identity()


@pytest.mark.parametrize("links", [["map"], ["odom"], ["base_footprint", "odom"], ["base_footprint"]], ids="/".join)
def test_odometry_under_another_name_is_not_the_truth(tmp_path, links):
    """A map that is fixed to odometry's frame; a base on /tf; a head that turns on a base."""
    walk = Walk(tmp_path, seconds=4.0).mounted()
    if links == ["map"]:
        walk.tf("odom", "base_link", walk.base)
        walk.entries.append(("/tf_static", int(walk.base.stamps_ns[0]), static(walk.make, ("map", "odom", STILL))))
    for child, parent in pairwise(["base_link", *links] if links != ["map"] else []):
        walk.tf(parent, child, walk.base)
    with pytest.raises(TrajectoryError, match="/tf leads to no frame above odometry's"):
        read_reference(bag_of(recorded(walk)))


def test_all_frames_above_odometry_can_be_chosen_and_the_root_is_taken(tmp_path):
    walk = recorded(by_amcl(Walk(tmp_path, seconds=4.0)))
    up = Pose(STILL.rotation, np.array([0.0, 0.0, 100.0]))
    walk.entries.append(("/tf_static", int(walk.base.stamps_ns[0]), static(walk.make, ("earth", "map", up))))
    bag = bag_of(walk)
    assert max(farthest(read_reference(tmp_path / "walk:map"), walk)) < 1e-6
    assert np.allclose(read_reference(bag).positions[:, 2] - read_reference(tmp_path / "walk:map").positions[:, 2], 100)


def test_poses_without_a_frame_and_of_what_was_seen_are_not_the_cameras(tmp_path):
    walk = Walk(tmp_path, seconds=4.0).mounted()
    walk.poses("/odom", walk.base, ODOMETRY, "").poses("/marker", walk.base, POSE, CAMERA)
    walk.poses("/gripper", walk.base, POSE, "base_link")
    with pytest.raises(TrajectoryError, match="no topic has poses"):
        read_reference(bag_of(recorded(walk)))


def test_images_whose_frame_tf_does_not_know_are_refused(tmp_path):
    walk = Walk(tmp_path, seconds=4.0).poses("/vicon", Walk(tmp_path).base, POSE, "world")
    walk.tf("odom", "base_link", walk.base)
    with pytest.raises(TrajectoryError, match="images are of the frame 'camera_optical', and /tf has base_link, odom"):
        read_reference(bag_of(recorded(walk)))
