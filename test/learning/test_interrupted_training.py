"""Ctrl-C while a network learns: a line, exit code 130, and the same command goes on."""

import signal
import subprocess
import sys
import time

from learnable import SMALL, make_scene


def started(scene):
    words = [
        sys.executable, "-m", "campose_core.cli.main", "train", str(scene.path), "--model", "posenet", "--backbone",
        SMALL["backbone"], "--grid", "1", "--weights", "random", "--hidden", "64", "--components", "32", "--image-size",
        "32", "--views", "0", "--epochs", "100000",
    ]  # fmt: skip
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)


def test_ctrl_c_while_it_learns_is_said_and_gone_on_from(tmp_path):
    scene = make_scene(tmp_path / "scene", {"a": 40})
    ends = ["posenet: the same command goes on where it was", "campose train: interrupted"]
    first = started(scene)
    while not (scene.path / "cache" / "train-posenet.ckpt").is_file():  # of its first epoch
        assert first.poll() is None, first.stderr.read()
        time.sleep(0.05)
    first.send_signal(signal.SIGINT)
    said = first.communicate(timeout=60)[1].splitlines()
    assert (first.returncode, said[-2:]) == (130, ends)
    second = started(scene)
    assert any("going on after epoch" in line for line in second.stderr)
    second.send_signal(signal.SIGINT)
    said = second.communicate(timeout=60)[1].splitlines()
    assert (second.returncode, said[-2:]) == (130, ends)
