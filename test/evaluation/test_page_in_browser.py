"""The report page as a browser shows it: on a phone and a desk, light and dark, without asking for anything else."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.evaluation.estimates import Estimates, FrameOutcome
from campose_core.evaluation.report import write_report
from campose_core.floor import FloorMap
from campose_core.geometry import Pose
from campose_core.trajectory import Trajectory

pytest.importorskip("matplotlib", reason="images need the extra `view`")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTHS = (360, 1280)
# Each frame is a window of its own width; what is measured in them is written into the outer page, which is printed.
OUTER = """<!doctype html><body>{frames}<pre id="said"></pre><script>
addEventListener("load", () => {{
  const said = [...document.querySelectorAll("iframe")].map(frame => {{
    const page = frame.contentDocument, images = [...page.images];
    const style = element => frame.contentWindow.getComputedStyle(element);
    return {{
      wide: page.documentElement.scrollWidth, images: images.length,
      drawn: images.filter(image => image.complete && image.naturalWidth > 0).length,
      narrowest: Math.min(...images.map(image => image.getBoundingClientRect().width)),
      ink: style(page.body).color, paper: style(page.body).backgroundColor, filter: style(images[0]).filter,
      photo: style(page.querySelector("img.photo")).filter, text: page.body.innerText,
      asked: frame.contentWindow.performance.getEntries().filter(e => /^(http|file)/.test(e.name)).length
    }};
  }});
  document.getElementById("said").textContent = JSON.stringify(said);
}});
</script></body>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """A drive through one room, with a name that is long, and a silence."""
    rng = np.random.default_rng(0)
    poses = [Pose(Rotation.from_euler("z", 0.02 * i), [1 + 0.02 * i, 2.0, 0.4]) for i in range(120)]
    truth = Trajectory.from_poses(10**8 * np.arange(120), poses)
    outcomes = []
    for i, (stamp_ns, pose) in enumerate(truth):
        found = None if 30 <= i < 40 else Pose(pose.rotation, pose.translation + rng.normal(0, 0.1, 3))
        outcomes.append(FrameOutcome(stamp_ns, found, "LOST" if found is None else "TRACKING", 20.0))
    room = FloorMap(np.pad(np.zeros((78, 118), dtype=np.int8), 1, constant_values=100), 0.05)
    image = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
    runs = [Estimates(name, tuple(outcomes)) for name in ("structure", "mapnet-efficientnet_lite0-of-a-long-name")]
    folder = tmp_path_factory.mktemp("page")
    facts = {"Scene": "/a/very/long/path/" * 8}
    return write_report(folder, "A drive " * 12, runs, truth, room, None, lambda stamp_ns: image, facts)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt install chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(page: Path, tmp_path: Path, scheme: str) -> None:
    content = html.escape(page.read_text())
    frames = "".join(
        f'<iframe srcdoc="{content}" style="width:{width}px;height:900px;border:0"></iframe>' for width in WIDTHS
    )
    outer = tmp_path / "outer.html"
    outer.write_text(OUTER.format(frames=frames))
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    preferred = f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"
    dumped = subprocess.run(
        [*command, preferred, "--virtual-time-budget=20000", "--dump-dom", outer.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    said = json.loads(html.unescape(re.search(r'<pre id="said">(.*)</pre>', dumped, re.DOTALL)[1]))
    assert len(said) == len(WIDTHS)
    for width, seen in zip(WIDTHS, said, strict=True):
        assert seen["wide"] <= width  # wide tables scroll by themselves, the page does not
        assert seen["drawn"] == seen["images"] > 6
        assert seen["narrowest"] > 130
        assert seen["asked"] == 0
        assert "All measures" in seen["text"]
        assert "no answer to 10 frames" in seen["text"]
        ink, paper = (np.mean([int(v) for v in re.findall(r"\d+", seen[name])[:3]]) for name in ("ink", "paper"))
        assert (ink < 80 and paper > 240) if scheme == "light" else (ink > 200 and paper < 40)
        assert ("invert" in seen["filter"]) == (scheme == "dark")  # drawings are turned dark, photos are not
        assert seen["photo"] == "none"
