"""Reports: the page opens by itself, tells the table, and its images show what they claim."""

import base64
import io
import math
import re

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from campose_core.errors import TrajectoryError
from campose_core.evaluation.estimates import Estimates, FrameOutcome
from campose_core.evaluation.metrics import evaluate, frame_errors
from campose_core.evaluation.photos import frames_to_show
from campose_core.evaluation.report import write_report
from campose_core.evaluation.table import HEADER, metrics_cells, reliability_cells
from campose_core.floor import FloorMap
from campose_core.geometry import Pose
from campose_core.trajectory import Trajectory

pytest.importorskip("matplotlib", reason="images need the extra `view`")

REFERENCE = Trajectory.from_poses(
    [100_000_000 * i for i in range(40)],
    [Pose(Rotation.from_euler("z", 0.02 * i), [1 + 0.1 * i, 2 + 0.02 * i, 0.4]) for i in range(40)],
)
ROOM = FloorMap(np.pad(np.zeros((78, 118), dtype=np.int8), 1, constant_values=100), 0.05)


def estimates(name: str, error_m: float, silent=(), status="TRACKING") -> Estimates:
    rng = np.random.default_rng(0)
    outcomes = []
    for i, (stamp_ns, pose) in enumerate(REFERENCE):
        estimate = Pose(pose.rotation, pose.translation + rng.normal(0, error_m, 3))
        answer = (None, "LOST" if status else "") if i in silent else (estimate, status)
        outcomes.append(FrameOutcome(stamp_ns, *answer, 12.5))
    return Estimates(name, tuple(outcomes))


def picture(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def test_page_is_self_contained_and_tells_the_table(tmp_path):
    runs = [estimates("structure", 0.01, silent=range(10, 15)), estimates("<mapnet> & co", 0.3)]

    def image_of(stamp_ns: int) -> np.ndarray:
        return np.full((48, 64, 3), stamp_ns // 100_000_000, dtype=np.uint8)

    page = write_report(
        tmp_path / "out", "A <later> drive", runs, REFERENCE, ROOM, runs[0].trajectory, image_of, {"scene": "room"}
    )
    text = page.read_text()
    for run in runs:
        for cell in metrics_cells(evaluate(run, REFERENCE)):
            assert f"<td>{cell.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}</td>" in text
    assert "A &lt;later&gt; drive" in text
    assert "<mapnet>" not in text
    assert not re.search(r'(src|href)="(?!data:)', text)
    embedded = [base64.b64decode(data) for data in re.findall(r'src="data:image/png;base64,([^"]+)"', text)]
    assert len(embedded) == 3
    photos = [base64.b64decode(data) for data in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)]
    assert len(photos) == len(frames_to_show(frame_errors(runs[0], REFERENCE)))
    assert {p.read_bytes() for p in page.parent.glob("*.png")} == set(embedded)
    for data in embedded:
        pixels = picture(data)
        assert pixels.shape[1] > 800
        assert pixels.std() > 5
    assert "".join(f"<th>{name.replace('&', '&amp;')}</th>" for name in HEADER) in text


@pytest.mark.parametrize(
    "runs",
    [
        [
            estimates("nothing answered", 0.1, silent=range(40)),
            Estimates.from_trajectory("bare", REFERENCE),
            estimates("no states", 0.1, silent=[3], status=""),
        ],
        [
            Estimates("one frame", estimates("", 0.1).outcomes[:1]),
            *(estimates(f"estimator {i}", 0.1 * i) for i in range(8)),
        ],
    ],
    ids=lambda runs: runs[0].estimator,
)
def test_reports_of_unusual_runs(tmp_path, runs):
    page = write_report(tmp_path, "report", runs, REFERENCE)
    assert page.read_text().count("data:image/png") == 3
    assert "data:image/jpeg" not in page.read_text()


def test_covariances_are_tabled_and_drawn(tmp_path):
    plain = estimates("plain", 0.01)
    covariance = np.diag([0.01**2] * 3 + [0.001**2] * 3)
    sure = Estimates("sure", tuple(outcome._replace(covariance=covariance) for outcome in plain.outcomes))
    page = write_report(tmp_path / "out", "covariances", [plain, sure], REFERENCE)
    for row in reliability_cells([evaluate(sure, REFERENCE)]):
        assert "".join(f"<td>{cell}</td>" for cell in row) in page.read_text()
    drawn = picture((page.parent / "reliability.png").read_bytes())
    # One curve: of the estimator that has covariances, in the colour that is its own in all images.
    blue, vermilion = (np.abs(drawn - colour).sum(axis=2) < 30 for colour in ((0, 0x72, 0xB2), (0xD5, 0x5E, 0)))
    assert vermilion.sum() > 500
    assert not blue.any()
    write_report(tmp_path / "bare", "no covariances", [plain], REFERENCE)
    assert not (tmp_path / "bare" / "reliability.png").exists()


def test_nothing_is_written_when_the_reference_is_of_another_time(tmp_path):
    later = Trajectory(REFERENCE.stamps_ns + 10**12, REFERENCE.positions, REFERENCE.rotations)
    with pytest.raises(TrajectoryError, match="do not overlap in time"):
        write_report(tmp_path / "out", "report", [estimates("a", 0.1)], later)
    assert not (tmp_path / "out").exists()


def test_floor_is_drawn_where_the_map_says():
    """A map turned by its origin's yaw, and the same floor stored unturned, give one image."""
    from campose_core.evaluation.pictures import floor_plan

    errors = frame_errors(Estimates.from_trajectory("truth", REFERENCE), REFERENCE)
    occupancy = np.zeros((80, 120), dtype=np.int8)
    occupancy[50:54, 10:90] = 100  # a wall at y from 2.5 to 2.7 m
    straight = FloorMap(occupancy, 0.05)
    # Columns along +y and rows along -x, from the corner at x = 6 m.
    turned = FloorMap(np.flipud(occupancy.T), 0.05, (6.0, 0.0, math.pi / 2))
    pictures = [picture(floor_plan(floor, errors, REFERENCE)) for floor in (straight, turned)]
    assert pictures[0].shape == pictures[1].shape
    differing = (np.abs(pictures[0] - pictures[1]).max(axis=2) > 60).mean()
    assert differing < 0.01
    mirrored = picture(floor_plan(FloorMap(np.flipud(occupancy), 0.05), errors, REFERENCE))
    assert (np.abs(pictures[0] - mirrored).max(axis=2) > 60).mean() > 0.02


def test_the_worst_frames_are_of_different_moments_and_silence_is_shown():
    run = estimates("a", 0.1, silent=[7, 8, 9])
    errors = frame_errors(run, REFERENCE)
    shown = {frame.why: frame.row for frame in frames_to_show(errors)}
    answered = np.where(errors.answered, errors.position_m, -1)
    assert shown["worst"] == np.argmax(answered)
    assert shown["best"] == np.argmin(errors.position_m)
    assert shown["no answer to 3 frames"] == 8
    assert abs(shown["next worst of another moment"] - shown["worst"]) >= 20  # two seconds at ten a second
    assert errors.position_m[shown["median"]] == np.median(errors.position_m[errors.answered])


def test_gaps_of_the_recording_are_neither_walked_nor_tracked():
    """Two pieces of a drive, 26 s and 3 m apart: between them there is no path, and no state."""
    from campose_core.evaluation.pictures import error_over_time, floor_plan, line_from_above

    stamps = np.r_[np.arange(40), np.arange(300, 340)] * 100_000_000
    x = np.r_[np.linspace(0, 1, 40), np.linspace(4, 5, 40)]
    drive = Trajectory(stamps, np.stack([x, 0 * x, 0 * x], axis=1), Rotation.identity(80))
    assert np.flatnonzero(np.isnan(line_from_above(drive)[:, 0])).tolist() == [40]
    slow = Trajectory(3 * 10**9 * np.arange(4), drive.positions[:4], drive.rotations[:4])
    assert not np.isnan(line_from_above(slow)).any()  # every image is three seconds after the one before
    errors = frame_errors(Estimates("it", tuple(FrameOutcome(t, pose, "TRACKING") for t, pose in drive)), drive)
    plan = picture(floor_plan(None, errors, drive))
    row = plan[(plan[:, :, 1] > plan[:, :, 0] + 60).sum(axis=1).argmax()]  # along the path: that of most green dots
    middle = plan.shape[1] // 2
    assert (row < 200).any()
    assert (row[middle - 20 : middle + 20] > 230).all()
    states = picture(error_over_time({"it": errors}))
    green = (states[:, :, 1] - states[:, :, 0] > 100).sum(axis=1)
    bar = green[green > states.shape[1] // 10]  # rows of the bar: 8 s of 34 are green
    assert len(bar)
    assert bar.max() < 0.4 * states.shape[1]


def test_ticks_of_errors_are_written_as_people_do():
    from campose_core.plotting.figure import degrees_on_axis, log_ticks, new_figure

    figure = new_figure(4, 3)
    axes = figure.add_subplot()
    axes.set(yscale="log", ylim=(0.02, 0.6))
    log_ticks(axes.yaxis, degrees_on_axis)
    figure.canvas.draw()
    told = [tick.get_text() for tick in axes.get_yticklabels(which="both") if tick.get_text()]
    assert {"0.05\N{DEGREE SIGN}", "0.1\N{DEGREE SIGN}", "0.2\N{DEGREE SIGN}", "0.5\N{DEGREE SIGN}"} <= set(told)
    assert not any("$" in text for text in told)
