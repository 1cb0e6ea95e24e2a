"""Up out of an accelerometer that is shaken, and hangs upside down."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from walks import BASE_FROM_CAM, HANGING, drive, similarity

from campose_core.alignment.solvers.gravity import STANDARD_GRAVITY, up_by_gravity
from campose_core.errors import AlignmentError

UP = np.array([0.0, 0.0, 1.0])


def shaken(seed: int, mounting, bumps: float = 1.5):
    """Stamps, sfm_from_imu, specific force in the IMU's axes, and the true up in sfm; the IMU is in the camera."""
    rng = np.random.default_rng([seed, 4])
    map_from_imu = drive(30, seed, rate_hz=50.0).moved_by(mounting)
    acceleration = np.gradient(np.gradient(map_from_imu.positions, axis=0), axis=0) * 50.0**2
    force = map_from_imu.rotations.inv().apply(acceleration + STANDARD_GRAVITY * UP)
    sfm_from_map = similarity(seed).rotation.inv()
    return (
        map_from_imu.stamps_ns,
        sfm_from_map * map_from_imu.rotations,
        force + rng.normal(0, bumps, force.shape),
        sfm_from_map.apply(UP),
    )


@pytest.mark.parametrize("mounting", [BASE_FROM_CAM, HANGING], ids=["upright", "hanging"])
@pytest.mark.parametrize("seed", range(4))
def test_up_is_found_while_driving(seed, mounting):
    stamps, sfm_from_imu, force, up = shaken(seed, mounting)
    found = up_by_gravity(stamps, sfm_from_imu, force)
    off_deg = np.degrees(np.arccos(found.up @ up))
    assert off_deg < 0.7
    assert found.windows == 30
    assert 0.2 < found.median_deg < 4.0
    assert found.strength == pytest.approx(STANDARD_GRAVITY, rel=0.02)


def test_what_is_no_gravity_is_refused():
    stamps, sfm_from_imu, force, _ = shaken(0, BASE_FROM_CAM)
    with pytest.raises(AlignmentError, match=r"averages to 1\.00 m/s\^2 instead of 9\.81"):
        up_by_gravity(stamps, sfm_from_imu, force / STANDARD_GRAVITY)  # in g
    turned = Rotation.from_euler("x", 90, degrees=True)
    with pytest.raises(AlignmentError, match="instead of"):  # the mounting is wrong: gravity turns with the robot
        up_by_gravity(stamps, sfm_from_imu * turned, force)
    with pytest.raises(AlignmentError, match="samples of 2 s"):
        up_by_gravity(stamps[:100], sfm_from_imu[:100], force[:100])
    with pytest.raises(AlignmentError, match="samples of 0 s"):
        up_by_gravity(stamps[:0], sfm_from_imu[np.zeros(0, int)], force[:0])
