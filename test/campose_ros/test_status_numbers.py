"""The numbers of a status: there for every status, and told apart."""

import pytest

pytest.importorskip("std_msgs", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")

from campose_core.localization.result import LocalizationResult, Status
from campose_ros.status_numbers import NAMES, numbers_message


def test_every_status_has_a_number_of_its_own():
    messages = [numbers_message(LocalizationResult(5, status), None, 0.1) for status in Status]
    assert len({message.data[NAMES.index("state")] for message in messages}) == len(Status)
