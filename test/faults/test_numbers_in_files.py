"""Numbers in files that are none, or mean nothing: refused with file, line and value, in no time."""

import numpy as np
import pytest

from campose_core.alignment.sources.markers import read_markers
from campose_core.camera import Camera
from campose_core.capture.camera_file import read_camera_file
from campose_core.cli.main import main
from campose_core.errors import CamposeError, GeometryError, SceneError
from campose_core.floor import FloorMap
from campose_core.floorplan.drawing_registration import register_plan
from campose_core.formats.trajectories import read_trajectory
from campose_core.geometry import Pose, umeyama
from campose_core.joining.frame_pairs import read_pairs
from campose_core.joining.robust_similarity import align_to_points
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.trajectory import read_tum

STAMPS = ("1e900000", "0.1e999995500", "1e99", "nan", "sNaN", "inf", "-1e900000", "9" * 5000)
PLACES = ("1e308", "-1e308", "1e999", "nan", "inf", "1e10")
QUATERNIONS = ("0 0 0 101", "0 0 0 0", "0.5 0.5 0.5 0.9", "0 0 0 1e308", "nan 0 0 1", "0 0 0 1e-300")
TUM = [
    *(f"{stamp} 0 0 0 0 0 0 1" for stamp in STAMPS), *(f"1 {x} 0 0 0 0 0 1" for x in PLACES),
    *(f"1 0 0 0 {quat}" for quat in QUATERNIONS),
]  # fmt: skip


def refused(reader, path, text: str, told: str | None = None) -> None:
    path.write_text(text)
    with pytest.raises(CamposeError, match=told) as error:
        reader(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("line", TUM, ids=lambda line: line[:30])
def test_a_line_of_a_trajectory(tmp_path, line):
    refused(read_tum, tmp_path / "a.tum", f"0 0 0 0 0 0 0 1\n{line}\n", r"a\.tum:2: ")
    row = ",".join(line.split())
    none = "nan" in row.partition(",")[2] or row == "1,0,0,0,0,0,0,0"  # a tracker's, of what it does not see
    told = "holds no pose, 1 rows without a pose" if none else r"a\.csv:2: "
    refused(read_trajectory, tmp_path / "a.csv", f"stamp_s,x,y,z,qx,qy,qz,qw\n{row}\n", told)


@pytest.mark.parametrize("stamp", ["stamp_ns", "stamp"])
def test_a_row_that_ends_before_its_stamp(tmp_path, stamp):
    refused(
        read_trajectory, tmp_path / "a.csv", f"x,y,z,qx,qy,qz,qw,{stamp}\n1,2,3,0,0,0,1\n", r"a\.csv:2: the stamp must"
    )


def test_rounded_quaternions_are_taken(tmp_path):
    (tmp_path / "a.tum").write_text("0 0 0 0 0 0 0.7 0.7\n1 0 0 0 0.5 0.5 -0.5 0.5\n")
    assert np.allclose(read_tum(tmp_path / "a.tum").rotations.magnitude()[0], np.pi / 2)


@pytest.mark.parametrize("number", [*PLACES, "", "x"])
def test_a_pair_of_points(tmp_path, number):
    rows = f"map/0.jpg,0,0,1\nmap/1.jpg,{number},0,1\nmap/2.jpg,3.5,1.5,1\n"
    plan = tmp_path / "plan.pgm"
    plan.write_bytes(b"P5 4 4 255\n" + bytes(16))
    poses = {f"map/{i}.jpg": Pose.from_quat_xyzw([0, 0, 0, 1], [i, i * i, 0]) for i in range(3)}
    refused(lambda path: read_pairs(path, poses), tmp_path / "p.csv", f"name,x,y,z\n{rows}", r"p\.csv:3: ")
    refused(
        lambda path: register_plan(plan, path), tmp_path / "q.csv", f"px,py,x,y\n0,0,0,0\n1,1,{number},1\n",
        r"q\.csv:3: ",
    )  # fmt: skip


def test_points_whose_squares_overflow_end_no_svd():
    """Behind the readers: numpy's SVD does not end on some matrices that are not finite."""
    points, far = 100.0 * np.eye(4, 3), np.array([[0.0, 0, 1], [1e308, 0, 1], [3.5, 1.5, 1], [6, 0, 1]])
    with np.errstate(all="ignore"), pytest.raises(GeometryError, match="too far apart"):
        umeyama(points, far)
    with np.errstate(all="ignore"), pytest.raises(CamposeError, match="too far apart"):
        align_to_points(points, far)


@pytest.mark.parametrize("number", [".inf", ".nan", "1e+308", "-1", "9" * 60, "2001-99-99", "[1]", "{a: 1}", "~"])
def test_keys_of_yaml(tmp_path, number):
    pytest.importorskip("cv2")
    camera = "width: 640\nheight: 480\nfx: 525\nfy: 525\ncx: 320\ncy: 240\n"
    for key in ("width: 640", "height: 480", "fx: 525"):
        name = key.split(":")[0]
        refused(read_camera_file, tmp_path / "camera.yaml", camera.replace(key, f"{name}: {number}"))
    markers = "dictionary: 4x4_50\nsize_m: 0.1\nplaces: {7: {position: [1, 2, 3], quat_xyzw: [0, 0, 0, 1]}}\n"
    for old in ("size_m: 0.1", "[0, 0, 0, 1]", *(["[1, 2, 3]"] if number != "-1" else [])):
        new = old.replace("0.1", number) if "size" in old else f"[{', '.join([number] * old.count(',') + [number])}]"
        refused(read_markers, tmp_path / "markers.yaml", markers.replace(old, new))
    refused(read_markers, tmp_path / "markers.yaml", markers.replace("7:", f"? {number}\n :"))
    floor = "image: m.pgm\nresolution: 0.05\norigin: [0, 0, 0]\nnegate: 0\noccupied_thresh: 0.65\nfree_thresh: 0.196\n"
    (tmp_path / "m.pgm").write_bytes(b"P5 2 2 255\n" + bytes(4))
    for old in ("resolution: 0.05", "occupied_thresh: 0.65", "free_thresh: 0.196"):
        name = old.split(":")[0]
        refused(FloorMap.load, tmp_path / "map.yaml", floor.replace(old, f"{name}: {number}"))
    if number != "-1":
        refused(FloorMap.load, tmp_path / "map.yaml", floor.replace("[0, 0, 0]", f"[0, {number}, 0]"))


@pytest.fixture
def scene(tmp_path) -> Scene:
    frame = SceneFrame("a/0.jpg", "a", 5, "a", "train", Pose.identity())
    scene = Scene(tmp_path / "s", "s", {"a": Camera.from_field_of_view(64, 48, 60)}, {"a": {}}, frames=(frame,))
    scene.save()
    return scene


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (",5,", ",1e900000,", "csv:2: "), (",5,", f",{'9' * 40},", "csv:2: "), (",5,", ",nan,", "csv:2: "),
        ("0.0,0.0,0.0,0.0,0.0,0.0,1.0", "1e308,0,0,0,0,0,1", "csv:2: a translation must be within"),
        ("0.0,0.0,0.0,0.0,0.0,0.0,1.0", "0,0,0,0,0,0,101", "csv:2: a quaternion must have length 1, not 101"),
        (",a,train", ",phone,train", "csv:2: unknown camera 'phone'; scene.yaml has a"),
        (",a,train", ",a", "csv:2: expected a name, a source"), (",train", ",train,1,2,3", "csv:2: expected a name"),
        ("0.0,0.0,0.0", "0.0,0.0A,0.0", "csv:2: expected a name, .* got a/0.jpg,a,5,a,train,0.0,0.0A,0.0"),
        ("1.0\n", "0.9", "csv:2: ends within a line: it was cut off, copy it again"),
        ("a/0.jpg", "x" * 200_000, "frames.csv is damaged: it is no table of comma-separated text"),
        ("name,", '"na\nme",', "expected the columns name,.* got na.nme"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["doctor", "view"])
def test_a_row_of_the_frames_of_a_scene(scene, old, new, told, verb, capsys):
    table = scene.path / "frames.csv"
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new, 1))
    with pytest.raises(SceneError, match=told):
        Scene.open(scene.path)
    assert main([verb, str(scene.path)]) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert str(table) in printed


def test_frames_that_were_cut_off_behind_a_whole_row_are_missed(tmp_path, capsys):
    rows = tuple(SceneFrame(f"{s}/{i}.jpg", s, i, s) for s in "ab" for i in range(3))
    cameras = dict.fromkeys("ab", Camera.from_field_of_view(64, 48, 60))
    scene = Scene(tmp_path / "s", "s", cameras, {"a": {"frames": 3}, "b": {"frames": 3}}, frames=rows)
    scene.save()
    assert Scene.open(scene.path).frames == rows
    table = scene.path / "frames.csv"
    lines = table.read_text().splitlines(keepends=True)
    for kept, told in ((6, "has 2 of the 3 frames of b"), (3, "has 2 of the 3 frames of a"), (1, "has 0 of the 3")):
        table.write_text("".join(lines[:kept]))
        with pytest.raises(SceneError, match=rf"frames\.csv {told}.*: it was cut off, copy it again$"):
            Scene.open(scene.path)
        assert main(["doctor", str(scene.path)]) == 1
        assert capsys.readouterr().err.count("\n") == 1
        assert table.read_text() == "".join(lines[:kept])
