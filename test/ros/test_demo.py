"""The demo on the small world: render, build, the real node over DDS, score, report, a bag for Foxglove, and train."""

import json
import subprocess
import sys

import pytest
from PIL import Image as PilImage

from campose_core.bag.file import open_bag
from campose_core.evaluation.estimates import read_estimates

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install '.[ros]'")
pytestmark = [pytest.mark.ros, pytest.mark.slow]


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("demo") / "out"


def demo(out, *options):
    command = [sys.executable, "-m", "campose_ros.demo", str(out), "--size", "small", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    return done


def test_the_demo_from_end_to_end(out):
    done = demo(out)
    replay = json.loads((out / "replay" / "replay.json").read_text())
    assert replay["answered"] > 0.5 * replay["accepted"]
    assert len(read_estimates(out / "replay" / "pose.tum").trajectory) == replay["on_floor"]
    for row in ("structure, live node", "retrieval"):
        assert row in done.stdout
    assert "mapnet" not in done.stdout
    with PilImage.open(out / "drive.webp") as picture:
        assert picture.is_animated
    assert (out / "drive.webp").stat().st_size < 2_000_000
    page = (out / "report" / "index.html").read_text()
    assert "floor_plan" in page or "data:image/png" in page
    with open_bag(out / "replayed" / "bag") as bag:
        counts = {topic.name: topic.messages for topic in bag.topics}
    assert counts["/localizer/pose"] > 0.5 * counts["/camera/image_raw/compressed"]
    assert counts["/error"] > counts["/localizer/pose"]


@pytest.mark.long
def test_the_demo_goes_on_from_what_is_there_and_trains(out):
    pytest.importorskip("pytorch_lightning", reason="training needs it: pip install 'campose_ros[train]'")
    demo(out)
    before = (out / "world" / "mapping.bag" / "metadata.yaml").stat().st_mtime_ns
    again = demo(out, "--train")
    assert "nearest mapped image" in again.stdout
    assert "mapnet" in again.stdout
    assert (out / "world" / "mapping.bag" / "metadata.yaml").stat().st_mtime_ns == before
    assert "map: done already" in again.stderr
