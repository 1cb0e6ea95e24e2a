"""Fixes out of bags."""

import numpy as np
import pytest
from recordings import START_NS, Messages, write_bag

from campose_core.bag.gps import read_gps
from campose_core.errors import CaptureError


def fix(make: Messages, stamp_ns: int, latitude=50.0, longitude=8.0, status=0, variance=4.0, kind=2):
    types = make.types
    return types["sensor_msgs/msg/NavSatFix"](
        header=make.header(stamp_ns, "/gps"), status=types["sensor_msgs/msg/NavSatStatus"](status=status, service=1),
        latitude=latitude, longitude=longitude, altitude=120.0, position_covariance=variance * np.eye(3).reshape(-1),
        position_covariance_type=kind,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["ros1", "mcap"])
def test_fixes_come_with_what_they_claim_and_others_are_left_out(tmp_path, capsys, kind):
    make = Messages(kind == "ros1")
    messages = [
        fix(make, START_NS),
        fix(make, START_NS + 1, status=-1),
        fix(make, START_NS + 2, latitude=float("nan")),
        fix(make, START_NS + 3, latitude=91.0),
        fix(make, START_NS + 4, longitude=-179.5, kind=0),
        fix(make, START_NS + 4),
    ]
    path = write_bag(tmp_path / "walk.bag", [("/fix", START_NS + i, m) for i, m in enumerate(messages)], kind)
    found = read_gps(path, "/fix")
    assert found.stamps_ns.tolist() == [START_NS, START_NS + 4]
    assert found.longitude_deg.tolist() == [8.0, -179.5]
    assert found.frame_id == "gps"
    np.testing.assert_equal(found.sigma_m, [2.0, np.nan])
    assert "4 messages on /fix left out" in capsys.readouterr().err


def test_a_receiver_that_saw_no_sky_is_refused(tmp_path):
    make = Messages()
    path = write_bag(tmp_path / "walk", [("/fix", START_NS, fix(make, START_NS, status=-1))])
    with pytest.raises(CaptureError, match=r"walk: no usable fix on /fix \(1 messages"):
        read_gps(path, "/fix")
