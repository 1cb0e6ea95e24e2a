"""A robot that lies on its side is one whose camera is told to sit otherwise than it does."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose
from campose_core.localization.result import LocalizationResult, Status
from campose_ros.base_tilt import MIN_POSES, BaseTilt

AHEAD = Rotation.from_quat([-0.5, 0.5, -0.5, 0.5])  # base_from_cam: the optical frame of a camera that looks forward
MOUNTED = np.array([0.2, 0.0, 0.5])


def said(told: Pose, is_on_floor: bool = True, tilt_deg: float = 5.0) -> str:
    """What is said of a drive with a camera that looks ahead, when it is told to sit at `told` (base_from_cam)."""
    tilt = BaseTilt()
    for i in range(MIN_POSES):
        standing = Rotation.from_euler("ZY", [0.1 * i, np.radians(tilt_deg)])
        map_from_cam = Pose(standing, np.array([0.1 * i, 0.0, 0.0])) * Pose(AHEAD, MOUNTED)
        tilt.take(
            LocalizationResult(
                i, Status.TRACKING, map_from_cam, map_from_cam * told.inverse(),
                snap_distance_m=0.0 if is_on_floor else None,
            )
        )  # fmt: skip
    return tilt.fault()


@pytest.mark.parametrize(
    ("told", "off_deg"),
    [
        (Rotation.identity(), 90),  # as a body's axes
        (AHEAD * Rotation.from_euler("z", 180, degrees=True), 180),  # upside down
        (AHEAD.inv(), 90),
    ],
    ids=["axes of a body", "upside down", "the inverse"],
)
def test_one_that_lies_on_its_side_is_named(told: Rotation, off_deg: int) -> None:
    assert f"the base lies {off_deg} degrees off upright" in said(Pose(told, MOUNTED), tilt_deg=0.0)


def test_one_that_stands_or_is_not_placed_or_has_no_floor_is_not() -> None:
    assert not said(Pose(AHEAD, MOUNTED))
    assert not said(Pose(AHEAD, MOUNTED), tilt_deg=40.0)  # on a ramp, by hand
    assert not said(Pose(AHEAD * Rotation.from_euler("y", 180, degrees=True), MOUNTED))  # turned about the vertical
    assert not said(Pose.identity())  # the camera is the base
    assert not said(Pose(Rotation.identity(), MOUNTED), is_on_floor=False)
