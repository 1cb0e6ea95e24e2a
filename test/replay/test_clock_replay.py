"""A replay of a bag whose stamps are wrong: images and odometry are brought to one clock."""

from types import SimpleNamespace

import numpy as np
import pytest
from clock_bags import TRUE, in_future, recorded, set_back, zero

from campose_core.bag.file import open_bag
from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.geometry import Pose
from campose_core.replay.bag_session import BagSession
from campose_core.replay.recording import replay_bag

CAMERA = Camera("PINHOLE", 64, 48, (50.0, 50.0, 31.5, 23.5))


class Listener:
    """In place of a localizer: what it is asked."""

    def __init__(self):
        self.stamps_ns, self.odometry = [], []

    def reset(self, near, offered):
        pass

    def refresh(self):
        pass

    def localize(self, frame, camera, base_from_cam, odom_from_base, imu, way):
        self.stamps_ns.append(frame.stamp_ns)
        self.odometry.append(odom_from_base)
        return SimpleNamespace(stamp_ns=frame.stamp_ns, map_from_cam=None, matches=None)


@pytest.mark.parametrize("change", [set_back, zero, in_future])
def test_every_image_is_answered_with_the_odometry_of_its_time(tmp_path, change):
    path, heard = recorded(tmp_path, change), Listener()
    recording = open_recording(path)
    session = BagSession(None, recording, heard, Pose.identity(), camera=CAMERA, odometry="/odom")
    with open_bag(path) as bag:
        answers = [step.answer for step in replay_bag(bag, recording, session) if step.answer is not None]
    assert len(answers) == len(heard.stamps_ns) == 12
    np.testing.assert_allclose(np.array(heard.stamps_ns) - TRUE[0], np.array(TRUE) - TRUE[0], atol=6_000_000)
    assert recording.dropped == {}
    # Odometry that was recorded after an image is not known to it: it is carried on from the two before.
    where = np.array([odometry.translation[0] for odometry in heard.odometry[2:]])
    np.testing.assert_allclose(where, np.arange(2, 12) / 10, atol=0.025)
