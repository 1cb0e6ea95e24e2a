"""Exports as apps share them, packed: read where they are sound, refused by name where they are not."""

import os
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from written_exports import WRITERS, Shot

from campose_core.camera import Camera
from campose_core.capture.external_poses import read_reference
from campose_core.capture.extract import extract
from campose_core.capture.recording import open_recording
from campose_core.errors import CaptureError
from campose_core.exports.packed import PREFIX
from campose_core.exports.table import read_export
from campose_core.geometry import Pose, pose_error
from campose_core.scene.scene import Scene

CAMERA = Camera("PINHOLE", 32, 24, (30.0, 31.0, 16.0, 12.5))
SHOTS = [
    Shot(
        np.full((24, 32, 3), 40 * n, np.uint8),
        10**8 * n,
        Pose(Rotation.from_euler("zyx", [0.1 * n, 0.2, 0.3]), [n, 0, 1]),
    )
    for n in range(4)
]


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch) -> Path:
    """The folder that is unpacked into; nothing may be left in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def packed(path: Path, folder: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            name = file.relative_to(folder).as_posix()
            archive.write(file, inside + name)
    return path


@pytest.mark.parametrize("name", ["Stray Scanner", "Polycam", "nerfstudio transforms.json"])
@pytest.mark.parametrize("inside", ["", "2026-11-29/scan/"])
def test_a_packed_export_is_read_as_its_folder_is(tmp_path, name, inside):
    folder = WRITERS[name](tmp_path / "scan", SHOTS, CAMERA)
    archive = packed(tmp_path / "shared.zip", folder, inside)
    scenes = [extract(Scene.open_or_create(tmp_path / f"{n}"), [path]) for n, path in enumerate((folder, archive))]
    whole, unpacked = ([(f.name.split("/")[1], f.stamp_ns) for f in scene.frames] for scene in scenes)
    assert unpacked == whole
    assert list(scenes[1].sources) == ["shared"]
    images = [[(scene.frames_dir / f.name).read_bytes() for f in scene.frames] for scene in scenes]
    assert images[0] == images[1]
    found, expected = read_reference(archive), read_reference(folder)
    assert [pose_error(a, b) for (_, a), (_, b) in zip(found, expected, strict=True)] == [(0.0, 0.0)] * len(SHOTS)
    before = (scenes[1].path / "scene.yaml").read_bytes()
    extract(Scene.open(scenes[1].path), [archive])  # unpacked once more, and yet the same
    assert (scenes[1].path / "scene.yaml").read_bytes() == before


def test_a_file_of_record3d_is_read(tmp_path):
    """github.com/notmahi/clip-fields, dataloaders/r3d.py: zip of `metadata`, rgbd/N.jpg, rgbd/N.depth, rgbd/N.conf."""
    folder = WRITERS["Record3D"](tmp_path / "scan", SHOTS, CAMERA)
    (folder / "rgb").rename(folder / "rgbd")
    (folder / "metadata.json").rename(folder / "metadata")
    for number in range(len(SHOTS)):
        (folder / "rgbd" / f"{number}.depth").write_bytes(b"bvx2")
        (folder / "rgbd" / f"{number}.conf").write_bytes(b"bvx2")
    export = read_export(packed(tmp_path / "walk.r3d", folder))
    assert export.world_name == "walk"
    for frame, shot in zip(export.frames, SHOTS, strict=True):
        assert max(pose_error(frame.world_from_cam, shot.map_from_cam)) < 1e-5


def test_what_is_wrong_in_an_archive_is_named_as_in_it(tmp_path):
    folder = WRITERS["Polycam"](tmp_path / "scan", SHOTS, CAMERA)
    next((folder / "keyframes" / "cameras").iterdir()).unlink()
    with pytest.raises(CaptureError, match=rf"^{tmp_path}/scan\.zip/keyframes/cameras/\d+\.json: is missing"):
        read_export(packed(tmp_path / "scan.zip", folder))
    folder = WRITERS["Stray Scanner"](tmp_path / "walk", SHOTS, CAMERA)
    (folder / "rgb.mp4").write_bytes(b"no video")
    with pytest.raises(CaptureError, match=rf"^{tmp_path}/walk\.zip/rgb\.mp4: "):
        open_recording(packed(tmp_path / "walk.zip", folder))


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../evil.json", r"its file '\.\./evil\.json' leads out of the archive"),
        ("rgb/../../evil.json", "leads out of the archive"),
        ("/etc/evil.json", "leads out of the archive"),
        ("..\\evil.json", "leads out of the archive"),
        ("C:\\evil.json", "leads out of the archive"),
        (link("rgb/9.jpg"), r"its file 'rgb/9\.jpg' is a link: unpack it with `unzip .*/scan\.zip -d .*/scan`"),
        ("a" * 300 + ".json", "is too long"),
        ("a/" * 1900 + "b.json", "is too long"),
        ("/".join(["a" * 200] * 20), "is too long"),
        ("metadata.json/0.jpg", "two of its files have one name"),
        ("notes\x1b[2J.txt", None),
    ],
    ids=str,
)
def test_a_name_that_leads_elsewhere_is_refused_and_nothing_is_written(tmp_path, name, says):
    folder = WRITERS["Record3D"](tmp_path / "scan", SHOTS, CAMERA)
    archive = packed(tmp_path / "scan.zip", folder)
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr(name, "/etc/passwd")
    before = {path for path in tmp_path.rglob("*") if "temporary" not in path.parts}
    if says is None:
        assert len(read_export(archive).frames) == len(SHOTS)
    else:
        with pytest.raises(CaptureError, match=says) as caught:
            read_export(archive)
        assert str(caught.value).isprintable()
        del caught
    assert {path for path in tmp_path.rglob("*") if "temporary" not in path.parts} == before


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("transforms.json", bytes(10**7))
        archive.getinfo("transforms.json").file_size = 2**31  # as its directory says
    with pytest.raises(CaptureError, match=r"bomb\.zip: unpacks to more than 200 times its size"):
        read_export(bomb)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data[: len(data) // 2], "is damaged or cut off: copy or export it anew"),
        (lambda data: b"PK", "is damaged or cut off"),
        (lambda data: b"", "is damaged or cut off"),
        (lambda data: data[:200] + bytes(40) + data[240:], "is damaged or cut off"),
    ],
)
def test_a_damaged_archive_is_refused(tmp_path, change, says):
    archive = packed(tmp_path / "scan.zip", WRITERS["Polycam"](tmp_path / "scan", SHOTS, CAMERA))
    archive.write_bytes(change(archive.read_bytes()))
    with pytest.raises(CaptureError, match=says):
        read_export(archive)


def test_an_archive_without_an_export_or_with_two_is_to_be_unpacked(tmp_path):
    folder = WRITERS["Polycam"](tmp_path / "scans" / "a", SHOTS, CAMERA).parent
    WRITERS["Stray Scanner"](folder / "b", SHOTS, CAMERA)
    with pytest.raises(CaptureError, match=r"holds 2 exports \(a, b\): unpack it with `unzip .*/two\.zip -d .*/two`"):
        read_export(packed(tmp_path / "two.zip", folder))
    with pytest.raises(CaptureError, match=r"holds no export of Stray Scanner, .*: unpack it with `unzip"):
        read_export(packed(tmp_path / "none.zip", folder / "a" / "keyframes" / "images"))
    (tmp_path / "desk.tgz").write_bytes(b"\x1f\x8b")
    with pytest.raises(CaptureError, match=r"desk\.tgz: only zip files are unpacked here: .*`tar -xf .*/desk\.tgz`"):
        read_export(tmp_path / "desk.tgz")


def test_what_a_killed_process_had_unpacked_goes_with_the_next(tmp_path, temporary):
    archive = packed(tmp_path / "scan.zip", WRITERS["Polycam"](tmp_path / "scan", SHOTS, CAMERA))
    killed = (
        "import os, sys; from pathlib import Path; from campose_core.exports.table import read_export; "
        "export = read_export(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", killed, archive], env={**os.environ, "TMPDIR": str(temporary)}, check=False
    )
    assert ran.returncode == -9
    assert [folder.name.startswith(PREFIX) for folder in temporary.iterdir()] == [True]
    assert len(read_export(archive).frames) == len(SHOTS)


@pytest.mark.parametrize("names", [[], ["scan/"], ["scan/mesh.ply", "scan/0.depth"]])
def test_an_archive_without_a_file_to_read_holds_no_export(tmp_path, names):
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    with pytest.raises(CaptureError, match=r"scan\.zip: holds no export of .*: unpack it with"):
        read_export(tmp_path / "scan.zip")
