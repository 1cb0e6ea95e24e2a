"""`campose localize` and `campose evaluate` on a built scene: what they write, and what they refuse."""

import json
from pathlib import Path

import numpy as np
import pytest

from campose_core.cli.main import main
from campose_core.evaluation.estimates import read_estimates
from campose_core.trajectory import read_tum

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def answers(small_scene, small_world, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("answers") / "later.tum"
    assert main(["localize", str(small_scene), str(small_world / "later.bag"), "--out", str(out)]) == 0
    return out


def test_the_later_drive_is_found(answers, small_world, capsys):
    estimates, truth = read_estimates(answers), dict(read_tum(small_world / "later.tum"))
    assert estimates.complete
    assert len(estimates.outcomes) == len(truth)
    errors = [np.linalg.norm(pose.translation - truth[stamp].translation) for stamp, pose in estimates.trajectory]
    assert len(errors) > 0.9 * len(truth)
    assert np.median(errors) < 0.02
    assert main(["evaluate", str(answers), str(small_world / "later.tum"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["position_m"]["median"] == pytest.approx(np.median(errors), rel=0.2)


def test_the_summary_is_not_replaced_by_metrics(answers, small_world, capsys):
    before = answers.with_suffix(".json").read_bytes()
    metrics = str(answers.with_suffix(".json"))
    assert main(["evaluate", str(answers), str(small_world / "later.tum"), "--json", metrics]) == 2
    assert "choose another name" in capsys.readouterr().err
    assert answers.with_suffix(".json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--out", "{tmp}/q.json"], 2, "call the trajectory EST.tum"),
        (["--out", "{tmp}/q.png"], 2, "a drawing is made with --show; call the trajectory EST.tum"),
        (["--out", "{tmp}/q.tum", "--estimator", "magic"], 1, "it offers structure, retrieval"),
        (["--out", "{tmp}/q.tum", "--camera", "{tmp}/camera.json"], 1, "the image is 320x240, its camera 640x360"),
        (["--out", "{tmp}/q.tum", "--topic", "/nope"], 1, "it has: /camera/image_raw/compressed (24 CompressedImage)"),
        (["--out", "{tmp}/camera.json/q.tum"], 2, "camera.json is a file, and no folder"),
    ],
)
def test_what_cannot_be_done_is_one_line(small_scene, small_world, tmp_path, capfd, arguments, code, message):
    camera = {"width": 640, "height": 360, "fx": 500.0, "fy": 500.0, "cx": 320.0, "cy": 180.0}
    (tmp_path / "camera.json").write_text(json.dumps(camera))
    arguments = [argument.format(tmp=tmp_path) for argument in arguments]
    capfd.readouterr()
    assert main(["localize", str(small_scene), str(small_world / "later.bag"), *arguments]) == code
    said = capfd.readouterr().err.strip().splitlines()
    assert message in said[-1]
    assert not any("Traceback" in line for line in said)
    assert [left.name for left in tmp_path.iterdir()] == ["camera.json"]
