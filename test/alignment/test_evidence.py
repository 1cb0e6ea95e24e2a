"""Two sources of truth about one frame: what can be compared, and when they cannot both be right."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.alignment.evidence import Evidence, compare, evidence_of_poses, table
from campose_core.geometry import Similarity
from campose_core.residual import Residual
from campose_core.scene.alignment import Alignment

PATH = np.random.default_rng(0).uniform(-3, 3, (50, 3))


def located(name: str, scale=1.0, yaw_deg=0.0, tilt_deg=0.0, shift=(0.0, 0.0, 0.0), median_m=0.01, frame="map"):
    rotation = Rotation.from_euler("ZX", [yaw_deg, tilt_deg], degrees=True)
    alignment = Alignment(Similarity(scale, rotation, np.array(shift)), "test", Residual(median_m=median_m))
    return evidence_of_poses(name, alignment, PATH, frame)


def test_two_good_sources_agree_in_all_they_know():
    check = compare(located("a"), located("b", 1.003, 0.3, 0.2, (0.01, 0, 0)), PATH)
    assert check.agree
    assert check.scale_ratio == pytest.approx(1.003)
    assert check.tilt_deg == pytest.approx(0.2, abs=1e-6)
    assert check.rotation_deg == pytest.approx(np.hypot(0.3, 0.2), abs=1e-4)
    assert 0.005 < check.translation_m < 0.05


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (located("b", scale=1.05), "scale by +5.0 %"),
        (located("b", yaw_deg=5), "rotation by 5 deg"),
        (located("b", tilt_deg=5), "level by 5 deg"),
        (located("b", shift=(0.3, 0, 0)), "place by 0.3 m"),
    ],
)
def test_a_difference_beyond_the_residuals_is_none_of_chance(other, words):
    check = compare(located("a"), other, PATH)
    assert not check.agree
    assert words in check.difference()
    vague = located("vague", median_m=2.0)
    assert compare(vague, other, PATH).agree


def test_frames_of_their_own_share_only_scale_and_level():
    check = compare(located("a"), located("b", yaw_deg=90, shift=(50, 0, 0), frame="odometry"), PATH)
    assert check.agree
    assert (check.rotation_deg, check.translation_m) == (None, None)


def test_what_knows_up_alone_or_scale_alone_is_compared_by_that():
    up = Evidence("gravity", up=np.array([0.0, np.sin(0.1), np.cos(0.1)]), up_deg=0.5)
    size = Evidence("markers", scale=1.5, scale_sigma=0.01)
    assert compare(located("a"), up, PATH).tilt_deg == pytest.approx(np.degrees(0.1))
    assert not compare(located("a"), up, PATH).agree
    assert not compare(located("a"), size, PATH).agree
    assert compare(up, size, PATH).difference() == "nothing in common"
    assert compare(up, size, PATH).agree
    lines = table(located("a"), [compare(located("a"), one, PATH) for one in (up, size)])
    assert lines[1].split() == ["a", "applied"]
    assert lines[2].split() == ["gravity", "-", "5.73", "deg", "-", "-", "DISAGREES"]
    assert lines[3].split() == ["markers", "+50.00", "%", "-", "-", "-", "DISAGREES"]
