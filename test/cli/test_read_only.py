"""Verbs that read work on a scene that cannot be written to, also in the middle of an exchange, and change nothing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from campose_core.scene.scene import Scene

SCRIPT = Path(__file__).parents[1] / "support" / "read_only.py"
READING = {
    "doctor": ["doctor", "SCENE"],
    "localize": ["localize", "SCENE", "SCENE/frames/mapping/000003.jpg", "--out", "OUT/estimate.tum"],
    "show": ["localize", "SCENE", "SCENE/frames/mapping/000003.jpg", "--show", "--out", "OUT/place.png"],
    "replay": ["replay", "PICTURES", "--scene", "SCENE", "--out", "OUT/replay", "--poses-only"],
    "view": ["view", "SCENE", "--mcap", "OUT/scene.mcap"],
}
WRITING = {
    "split": ["split", "SCENE"],
    "floor": ["floor", "SCENE"],
    "extract": ["extract", "PICTURES", "--scene", "SCENE"],
}


def run(verbs: dict[str, list[str]], scene: Path, pictures: Path, out: Path) -> dict[str, dict]:
    places = {"SCENE": scene, "PICTURES": pictures, "OUT": out}
    commands = []
    for words in verbs.values():
        for place, path in places.items():
            words = [word.replace(place, str(path)) for word in words]
        commands.append(words)
    ran = subprocess.run([sys.executable, SCRIPT], input=json.dumps(commands), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return dict(zip(verbs, json.loads(ran.stdout.splitlines()[-1]), strict=True))


def exchange_half(scene: Path) -> None:
    """Leave what an update leaves that was killed when it had moved some of its files."""
    journal = scene / ".update"
    (journal / "old").mkdir(parents=True)
    for name in ("sfm", "floor", "frames.csv", "scene.yaml"):
        (shutil.copytree if (scene / name).is_dir() else shutil.copy)(scene / name, journal / "old" / name)
    (journal / "new").mkdir()
    for name in ("sfm", "frames.csv"):
        (scene / name).rename(journal / "new" / name)
    (journal / "paths.json").write_text(json.dumps(["sfm", "floor", "frames.csv", "scene.yaml"]))
    (journal / "note.json").write_text(json.dumps({"name": "later", "steps": {}}))


def state(folder: Path) -> dict[str, tuple[int, bytes | None]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in folder.rglob("*")
    }


@pytest.fixture(params=["whole", "half exchanged"])
def sealed(request, small_scene, tmp_path):
    """A scene without permission to write."""
    scene = shutil.copytree(small_scene, tmp_path / "scene")
    if request.param == "half exchanged":
        exchange_half(scene)
    folders = [scene, *(path for path in scene.rglob("*") if path.is_dir())]
    for path in scene.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    scene.chmod(0o555)
    yield scene
    for path in folders:
        path.chmod(0o755)


def test_reading_verbs_read_and_writing_verbs_say_that_they_cannot(sealed, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(4):
        shutil.copy(Scene.open(sealed).frames_dir / "mapping" / f"{number:06}.jpg", pictures)
    before = state(sealed)
    told = run(READING | WRITING, sealed, pictures, tmp_path / "out")
    assert {verb: told[verb]["code"] for verb in READING} == dict.fromkeys(READING, 0), told
    assert {verb: told[verb]["code"] for verb in WRITING} == dict.fromkeys(WRITING, 1)
    assert "the report and the picture are left out" in told["doctor"]["stderr"]
    assert "foxglove_layout.json cannot be written" in told["view"]["stderr"]
    for verb in WRITING:
        assert told[verb]["stderr"].splitlines()[-1] == (
            f"campose {verb}: {sealed} cannot be written to: {os.strerror(13)}"
        )
    assert state(sealed) == before


def test_a_writing_verb_finishes_the_exchange_that_a_reader_leaves(small_scene, tmp_path):
    from campose_core.cli.main import main

    scene = shutil.copytree(small_scene, tmp_path / "scene")
    exchange_half(scene)
    found = Scene.open(scene)
    assert (scene / ".update" / "new" / "sfm").is_dir()
    assert main(["split", str(scene), "--val", "0.3"]) == 0
    assert not (scene / ".update").exists()
    assert (scene / ".previous").is_dir()
    again = Scene.open(scene)
    assert again.cameras == found.cameras
    assert [frame.name for frame in again.frames] == [frame.name for frame in found.frames]
    assert (scene / "sfm" / "landmarks.npz").is_file()
