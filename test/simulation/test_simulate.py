"""`campose simulate`: what it writes, that it goes on after a kill, and that a seed is a recording."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from campose_core.camera import Camera
from campose_core.capture.sources.bag import BagRecording
from campose_core.capture.sources.video import VideoRecording
from campose_core.cli.main import main
from campose_core.floor import FloorMap
from campose_core.simulation.building import build_world
from campose_core.simulation.drive import camera_trajectory, drive
from campose_core.simulation.simulate import PRESETS, drawing, simulate
from campose_core.trajectory import read_tum

pytest.importorskip("pyvista")


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "small world"
    assert main(["simulate", str(out), "--size", "small", "--seed", "1"]) == 0
    return out


def test_bag_video_and_truth_share_their_stamps(small):
    for name in ("mapping", "later"):
        truth = read_tum(small / f"{name}.tum")
        bag, video = BagRecording(small / f"{name}.bag"), VideoRecording(small / f"{name}.mp4")
        assert bag.camera == PRESETS["small"].camera
        bag_frames, video_frames = list(bag.frames()), list(video.frames())
        assert [frame.stamp_ns for frame in bag_frames] == truth.stamps_ns.tolist()
        np.testing.assert_allclose([frame.stamp_ns for frame in video_frames], truth.stamps_ns, atol=1e9 / 90_000)
        assert (np.diff(truth.stamps_ns) > 0).all()
        for seen, shown in zip(bag_frames[::10], video_frames[::10], strict=True):
            assert np.abs(seen.image.astype(int) - shown.image).mean() < 6
        expected = camera_trajectory(drive(build_world("small", 1), name, PRESETS["small"].rates_hz[name]))
        np.testing.assert_allclose(truth.positions, expected.positions, atol=1e-8)


def test_the_rest_of_the_folder(small):
    fields = json.loads((small / "camera.json").read_text())
    camera = Camera(
        fields["model"], fields["width"], fields["height"], tuple(fields[k] for k in ("fx", "fy", "cx", "cy"))
    )
    assert camera == PRESETS["small"].camera
    floor = FloorMap.load(small / "floor" / "map.yaml")
    truth = read_tum(small / "mapping.tum")
    rows, columns = floor.cell_of(truth.positions[:, :2]).T
    assert floor.free[rows, columns].all()
    assert (small / "world.png").stat().st_size > 10_000


def test_done_work_stays_and_another_seed_replaces_it(small, capsys):
    names = [small / f"{name}.{kind}" for name in ("mapping", "later") for kind in ("bag", "mp4")]
    before = [path.stat().st_mtime_ns for path in names]
    simulate(small, "small", 1)
    assert [path.stat().st_mtime_ns for path in names] == before

    (small / "later.mp4").unlink()
    assert main(["simulate", str(small), "--size", "small", "--seed", "1", "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert all(Path(path).exists() for path in written.values())
    assert [path.stat().st_mtime_ns for path in names[:3]] == before[:3]


@pytest.mark.parametrize("mine", ["mapping.mp4", "later.tum", "floor"])
def test_recordings_of_ones_own_are_not_overwritten(tmp_path, capsys, mine):
    (tmp_path / mine).mkdir() if mine == "floor" else (tmp_path / mine).write_text("mine")
    assert main(["simulate", str(tmp_path), "--size", "small"]) == 2
    assert mine in capsys.readouterr().err
    assert [left.name for left in tmp_path.iterdir()] == [mine]


@pytest.mark.slow
def test_a_killed_run_is_taken_up(tmp_path, small):
    out = tmp_path / "again"
    command = [sys.executable, "-m", "campose_core.cli.main", "simulate", str(out), "--size", "small", "--seed", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not list(out.glob("**/*.mcap")):
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    simulate(out, "small", 1)
    for name in ("mapping", "later"):
        pairs = zip(
            BagRecording(out / f"{name}.bag").frames(), BagRecording(small / f"{name}.bag").frames(), strict=True
        )
        for again, once in pairs:
            assert again.stamp_ns == once.stamp_ns
            np.testing.assert_array_equal(again.image, once.image)
    simulate(out, "small", 2)
    first = next(BagRecording(out / "later.bag").frames()).image
    assert np.abs(first.astype(int) - next(BagRecording(small / "later.bag").frames()).image).mean() > 10


@pytest.mark.slow
@pytest.mark.long
def test_two_processes_draw_what_one_draws():
    world, camera = build_world("small", 5), PRESETS["small"].camera
    jobs = [(i, pose) for i, (_, pose) in enumerate(camera_trajectory(drive(world, "later", 1.0)))]
    with drawing(world, camera, workers=1) as one, drawing(world, camera, workers=2) as two:
        for alone, shared in zip(one(jobs), two(jobs), strict=True):
            np.testing.assert_array_equal(alone, shared)


def test_wrong_usage_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert main(["simulate", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(SystemExit) as stop:
        main(["simulate", str(tmp_path / "out"), "--size", "huge"])
    assert stop.value.code == 2
    assert "huge" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_opengl_it_says_what_to_install(tmp_path):
    environment = {**os.environ, "__EGL_VENDOR_LIBRARY_DIRS": "/nonexistent"}  # where libEGL looks for drivers
    environment.pop("VTK_DEFAULT_OPENGL_WINDOW", None)
    command = [sys.executable, "-m", "campose_core.cli.main", "simulate", str(tmp_path / "w"), "--size", "small"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "apt install libegl1" in done.stderr.splitlines()[-1]
    assert not list(tmp_path.glob("w/*.bag"))


def command_of(process: str) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def test_a_renderer_that_dies_ends_the_run(tmp_path):
    """As when memory runs out: the process that draws is killed."""
    command = [sys.executable, "-m", "campose_core.cli.main", "simulate", str(tmp_path / "w"), "--size", "small"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as simulation:
        renderers: list[int] = []
        while not renderers:
            assert simulation.poll() is None
            children = Path(f"/proc/{simulation.pid}/task/{simulation.pid}/children").read_text().split()
            renderers = [int(child) for child in children if b"spawn_main" in command_of(child)]
        os.kill(renderers[0], signal.SIGKILL)
        _, errors = simulation.communicate(timeout=60)
        assert simulation.returncode == 1
    assert "a process that renders died" in errors
    assert "Traceback" not in errors
