"""Values of parameters that contradict each other."""

from typing import Any

import pytest

from campose_core.errors import LocalizationError
from campose_ros.parameters import LocalizerParameters


@pytest.mark.parametrize(
    ("given", "chain"),
    [
        ({"base_frame": "map"}, "map -> map"),
        ({"base_frame": "odom", "use_odometry": True}, "map -> odom -> odom"),
        ({"odom_frame": "map", "use_odometry": True}, "map -> map -> base_link"),
    ],
)
def test_a_frame_is_not_broadcast_in_itself(given: dict[str, Any], chain: str) -> None:
    with pytest.raises(LocalizationError, match=f"publish_tf would broadcast {chain}, a frame in itself"):
        LocalizerParameters(publish_tf=True, **given)
    LocalizerParameters(**given)


def test_a_robot_without_odometry_may_call_its_base_odom() -> None:
    LocalizerParameters(publish_tf=True, base_frame="odom")
