"""The last sure pose, kept over a restart: written aside, read again, of one map."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")

from client import Client
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose
from campose_core.localization.result import LocalizationResult, Status
from campose_ros.pose_memory import PoseMemory


def sure(x: float) -> LocalizationResult:
    pose = Pose(Rotation.identity(), np.array([x, 2.0, 0.0]))
    return LocalizationResult(round(1e9 * x), Status.TRACKING, map_from_base=pose, covariance=np.eye(6))


def place(client: Client, path: Path, digest: str = "hall") -> float | None:
    """Where a node that is started now would look first."""
    memory = PoseMemory(client.node, str(path), digest)
    found = memory.recall()
    memory.close()
    return None if found is None else float(found.pose.translation[0])


def test_what_was_kept_is_there_after_a_crash_and_the_newest_after_an_end(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "pose.json"
    memory = PoseMemory(client.node, str(path), "hall")
    assert memory.recall() is None
    memory.take(sure(1.0))
    memory.keep()
    client.until(path.is_file, "the file is written")
    assert place(client, path) == 1.0
    memory.take(sure(2.0))
    memory.close()
    assert place(client, path) == 2.0
    assert place(client, path, "another hall") is None


def test_keeping_does_not_wait_for_the_card(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, syncing, synced = tmp_path / "pose.json", threading.Event(), threading.Event()

    def slow_sync(file: int) -> None:
        syncing.set()
        assert synced.wait(30)

    monkeypatch.setattr(os, "fsync", slow_sync)
    memory = PoseMemory(client.node, str(path), "hall")
    memory.take(sure(1.0))
    memory.keep()
    assert syncing.wait(10)
    memory.take(sure(2.0))
    memory.keep()
    assert not path.exists()
    synced.set()
    memory.close()
    assert place(client, path) == 2.0


def test_a_file_that_cannot_be_written_ends_nothing(client: Client, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    memory = PoseMemory(client.node, str(tmp_path / "file" / "pose.json"), "hall")
    memory.take(sure(1.0))
    memory.keep()
    memory.close()


def test_a_file_of_something_else_is_not_overwritten(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "robot.yaml"
    path.write_text("max_speed: 0.3\n")
    memory = PoseMemory(client.node, str(path), "hall")
    memory.take(sure(1.0))
    memory.keep()
    memory.close()
    assert path.read_text() == "max_speed: 0.3\n"


def test_without_a_path_nothing_is_kept(client: Client) -> None:
    memory = PoseMemory(client.node, "", "hall")
    memory.take(sure(1.0))
    memory.keep()
    memory.close()
    assert memory.recall() is None
