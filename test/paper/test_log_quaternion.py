import numpy as np
from hypothesis import given
from strategies import rotations

from campose_core.paper.log_quaternion import exp_quat, log_quat


@given(rotations)
def test_log_quaternion_round_trip(rotation):
    logarithm = log_quat(rotation)
    assert np.linalg.norm(logarithm) <= np.pi / 2 + 1e-9
    assert (exp_quat(logarithm).inv() * rotation).magnitude() < 1e-7
