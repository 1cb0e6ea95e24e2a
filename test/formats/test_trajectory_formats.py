"""Trajectories as the programs that make them write them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from strategies import poses

from campose_core.errors import TrajectoryError
from campose_core.formats.row_stamps import EXPONENTS, alike_stamps, stamp_ns, whole_stamps
from campose_core.formats.trajectories import read_trajectory
from campose_core.geometry import Pose, pose_error
from campose_core.trajectory import FRAME_PERIOD_NS, Trajectory, write_tum

START_NS = 1_403_636_579_763_555_584
STAMPS = [START_NS + i * 50_000_000 for i in range(5)]
WALK = [
    Pose(Rotation.from_euler("zyx", [0.3 * i, 0.1, -0.2 * i]), np.array([0.5 * i, 1.0 - 0.1 * i, 1.25]))
    for i in range(5)
]
Z_UP_FROM_Y_UP = Pose(Rotation.from_euler("x", 90, degrees=True), np.zeros(3))


def rows(order, stamps, separator=" ", end="", listed=WALK):
    """order: of t, x, y, z, a, b, c, w (the quaternion's parts), and literal texts."""
    lines = []
    for i, (stamp, pose) in enumerate(zip(stamps, listed, strict=True)):
        values = dict(zip("xyzabcw", [*pose.translation, *pose.quat_xyzw], strict=True))
        cells = {**{key: f"{value:.9f}" for key, value in values.items()}, "t": str(stamp), "i": str(i + 1)}
        lines.append(separator.join(cells.get(key, key) for key in order) + end)
    return "\n".join(lines) + "\n"


def seconds(stamps):
    return [f"{stamp // 10**9}.{stamp % 10**9:09d}" for stamp in stamps]


def written(tmp_path, text, name="poses.txt"):
    path = tmp_path / name
    path.write_text(text, newline="")
    return path


def assert_walk(found, expected=WALK, stamps=STAMPS, within=1e-6):
    assert found.stamps_ns.tolist() == list(stamps)
    for (_, pose), truth in zip(found, expected, strict=True):
        assert max(pose_error(pose, truth)) < within


TUM, W_FIRST = [*"txyzabcw"], [*"txyzwabc"]
EUROC_NAMES = "#timestamp [ns],p_RS_R_x [m],p_RS_R_y [m],p_RS_R_z [m],q_RS_w [],q_RS_x [],q_RS_y [],q_RS_z []\n"
FORMATS = {
    # github.com/raulmur/evaluate-ate-scale, MichaelGrupp/evo file_interface.py: read_tum_trajectory_file
    "tum": "# ground truth trajectory\n# timestamp tx ty tz qx qy qz qw\n" + rows(TUM, seconds(STAMPS)),
    "a header without #": "timestamp tx ty tz qx qy qz qw\n" + rows(TUM, seconds(STAMPS)),
    "tabs, one at the end": rows(TUM, seconds(STAMPS), "\t", "\t"),
    "commas": rows(TUM, seconds(STAMPS), ","),
    "semicolons and decimal commas": rows(TUM, seconds(STAMPS), ";").replace(".", ","),
    "bom and Windows": "\ufeff" + rows(TUM, seconds(STAMPS)).replace("\n", "\r\n"),
    "microseconds": rows(TUM, [stamp // 1000 for stamp in STAMPS]),
    # ORB_SLAM3 src/System.cc: SaveTrajectoryEuRoC, `setprecision(6) << 1e9*(*lT)`
    "orb-slam3": rows(TUM, [f"{stamp}.000000" for stamp in STAMPS]),
    # rtabmap corelib/src/Graph.cpp: exportPoses, format 11; it writes %f
    "rtabmap": "#timestamp x y z qx qy qz qw id\n" + rows([*TUM, "i"], seconds(STAMPS)),
    "rtabmap without its header": rows([*TUM, "i"], seconds(STAMPS)),
    # open_vins ov_eval/src/utils/Recorder.h
    "openvins": "# timestamp(s) tx ty tz qx qy qz qw Pr11 Pr12 Pr13 Pr22 Pr23 Pr33 Pt11 Pt12 Pt13 Pt22 Pt23 Pt33\n"
    + rows([*TUM, *["0.01"] * 12], seconds(STAMPS)),
    # open_vins ov_eval/src/utils/Loader.cpp: load_data takes rows of 8 and of 20 numbers, by their count
    "openvins without its header": rows([*TUM, *["0.01"] * 12], seconds(STAMPS), " ", " "),
    # VINS-Mono vins_estimator/src/utility/visualization.cpp: pubOdometry, w first, velocity, a comma at the end
    "vins-mono": rows([*W_FIRST, "0.1", "0.2", "0.3"], STAMPS, ",", ","),
    # VINS-Mono pose_graph/src/pose_graph.cpp: updatePath
    "vins-mono's loops": rows(W_FIRST, STAMPS, ",", ","),
    # EuRoC's state_groundtruth_estimate0/data.csv; TUM-VI's mocap0/data.csv
    "euroc": EUROC_NAMES.replace("\n", ",v_RS_R_x [m s^-1],b_w_RS_S_x [rad s^-1]\n")
    + rows([*W_FIRST, "0.5", "0.6"], STAMPS, ","),
    "tum-vi": EUROC_NAMES + rows(W_FIRST, STAMPS, ","),
    "euroc without its header": rows([*W_FIRST, *["0.1"] * 9], STAMPS, ","),
    "euroc of a spreadsheet": rows([*W_FIRST, *["0.1"] * 9], STAMPS, ";").replace(".", ","),
    "comments of matlab": "% ground truth\n% timestamp tx ty tz qx qy qz qw\n" + rows(TUM, seconds(STAMPS)),
    "comments of c++": "// of a log\n" + rows(TUM, seconds(STAMPS)),
    # pandas.DataFrame.to_csv: the index is the first column, and has no name
    "pandas": ",timestamp,tx,ty,tz,qx,qy,qz,qw\n" + rows(["i", *TUM], seconds(STAMPS), ","),
    # mcdviral.github.io: pose_inW.csv
    "mcd": "num,t,x,y,z,qx,qy,qz,qw\n" + rows(["i", *TUM], seconds(STAMPS), ","),
    # `rostopic echo -p` of geometry_msgs/PoseStamped
    "a bag as csv": "%time,field.header.seq,field.header.frame_id,"
    + ",".join(f"field.pose.position.{axis}" for axis in "xyz")
    + ","
    + ",".join(f"field.pose.orientation.{axis}" for axis in "xyzw")
    + "\n"
    + rows(["t", "i", "map", *"xyzabcw"], STAMPS, ","),
    # ros_comm rostopic/__init__.py: %time is when it was received, the header says when it was
    "a bag as csv, with the stamp of its header": "%time,field.header.seq,field.header.stamp,"
    + ",".join(f"field.transform.translation.{axis}" for axis in "xyz")
    + ","
    + ",".join(f"field.transform.rotation.{axis}" for axis in "xyzw")
    + "\n"
    + rows([str(START_NS + 12_345_678), "i", *TUM], STAMPS, ","),
    # bagpy bagreader.py: message_by_topic
    "bagpy": "Time,header.stamp.secs,header.stamp.nsecs,"
    + ",".join(f"pose.position.{axis}" for axis in "xyz")
    + ","
    + ",".join(f"pose.orientation.{axis}" for axis in "xyzw")
    + "\n"
    + rows(["1403636579.8", *TUM], [f"{s // 10**9},{s % 10**9}" for s in STAMPS], ","),
    "paths of a topic's fields": "__time,"
    + ",".join(f"/odom/pose/pose/position/{axis}" for axis in "xyz")
    + ","
    + ",".join(f"/odom/pose/pose/orientation/{axis}" for axis in "xyzw")
    + ",/odom/twist/twist/linear/x\n"
    + rows([*TUM, "0.5"], seconds(STAMPS), ","),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_is_the_same_walk(tmp_path, form):
    stamps = [stamp // 1000 * 1000 for stamp in STAMPS] if form == "microseconds" else STAMPS
    assert_walk(read_trajectory(written(tmp_path, FORMATS[form])), stamps=stamps)
    assert_walk(read_trajectory(written(tmp_path, FORMATS[form], "poses.csv")), stamps=stamps)


@settings(max_examples=25)
@given(
    st.lists(poses, min_size=1, max_size=5),
    st.integers(-(10**9), 4 * 10**18).filter(lambda ns: not 946_684_800 <= ns <= 4_102_444_800 * 1000),
)
def test_what_campose_writes_is_read_as_it_was(tmp_path_factory, listed, start_ns):
    path = tmp_path_factory.mktemp("tum") / "own.tum"
    stamps = [start_ns + i for i in range(len(listed))]
    write_tum(path, Trajectory.from_poses(stamps, listed))
    assert_walk(read_trajectory(path), listed, stamps)


@given(st.integers(0, 8), st.sampled_from([" # a comment", " #", "\n", "\n# by a person\n"]), st.sampled_from(" ,;\t"))
def test_a_table_that_is_read_at_once_is_that_of_its_rows(tmp_path_factory, row, odd, separator):
    listed = [WALK[i % len(WALK)] for i in range(9)]
    lines = rows(TUM, [f"{17 * i}.{3 * i:09d}" for i in range(9)], separator, listed=listed).splitlines(keepends=True)
    folder = tmp_path_factory.mktemp("plain")
    plain = read_trajectory(written(folder, "".join(lines), "plain.txt"))
    lines[row] = lines[row].replace("\n", f"{odd}\n")
    by_rows = read_trajectory(written(folder, "".join(lines), "odd.txt"))
    assert plain.stamps_ns.tolist() == by_rows.stamps_ns.tolist() == [17 * 10**9 * i + 3 * i for i in range(9)]
    np.testing.assert_array_equal(plain.positions, by_rows.positions)
    np.testing.assert_array_equal(plain.rotations.as_quat(), by_rows.rotations.as_quat())


@pytest.mark.parametrize("row", [7, 19])
@pytest.mark.parametrize("names", ["", "stamp_s x y z qx qy qz qw\n", "# x y z\n\n"])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("50 1 2 3 0 0 0 1.1", "not a pose: 1 2 3 0 0 0 1.1"),
        ("50 1 2 1e10 0 0 0 1", "not a pose: 1 2 1e[+]10 0 0 0 1: farther away than"),
        ("50 1 2 three 0 0 0 1", ".*three"),
        ("50 1 2 3", ".*50 1 2 3"),
        ("fifty 1 2 3 0 0 0 1", ".*fifty"),
        (f"{10**25} 1 2 3 0 0 0 1", f"the stamp {10**25} must be in seconds"),
        ("3 1 2 3 0 0 0 1", "the stamp 3.0+ appears twice, with another pose"),
    ],
)
def test_the_line_that_is_no_pose_is_named_wherever_it_stands(tmp_path, row, names, wrong, said):
    lines = [f"{i} {i} 0 0 0 0 0 1" for i in range(20)]
    lines[row] = wrong
    with pytest.raises(TrajectoryError, match=rf"poses\.txt:{row + names.count(chr(10)) + 1}: {said}"):
        read_trajectory(written(tmp_path, names + "\n".join(lines)))


def test_stray_scanner_has_y_up_and_cameras_as_opencv(tmp_path, caplog):
    """StrayScanner/Helpers/OdometryEncoder.swift: the camera is turned to OpenCV's axes, ARKit's world is as it was."""
    caplog.set_level("INFO")
    arkit = [Z_UP_FROM_Y_UP.inverse() * pose for pose in WALK]
    names = "timestamp, frame, x, y, z, qx, qy, qz, qw\n"
    stamps = [10**12 + i * 16_666_667 for i in range(5)]  # of its own clock, since the phone started
    path = written(tmp_path, names + rows(["t", "i", *"xyzabcw"], seconds(stamps), ", ", listed=arkit), "odometry.csv")
    assert_walk(read_trajectory(path), stamps=stamps)
    assert "odometry.csv: ARKit's y axis is up: turned, so that z is" in caplog.text


def motive(bodies=("robot",), kind="Quaternion", units="Millimeters", space="Global", gap=()):
    """As Motive exports a take, format 1.23: docs.optitrack.com/v3.1/motive/data-export/data-export-csv."""
    said = f"Format Version,1.23,Take Name,walk,Capture Frame Rate,120.0,Rotation Type,{kind},Length Units,{units},"
    axes = ["X", "Y", "Z", "W", "X", "Y", "Z", ""]
    parts = [*["Rotation"] * 4, *["Position"] * 3, "Mean Marker Error"]
    lines = [f"{said}Coordinate Space,{space}", ""]
    lines += [",".join(["", "Type", *["Rigid Body"] * 8 * len(bodies), *["Rigid Body Marker"] * 3])]
    lines += [",".join(["", "Name", *(body for body in bodies for _ in axes), *["robot:Marker1"] * 3])]
    lines += [",".join(["", "ID", *["1"] * (8 * len(bodies) + 3)])]
    lines += [",".join(["", "", *parts * len(bodies), *["Position"] * 3])]
    lines += [",".join(["Frame", "Time (Seconds)", *axes * len(bodies), "X", "Y", "Z"])]
    for i, pose in enumerate(Z_UP_FROM_Y_UP.inverse() * pose for pose in WALK):
        numbers = [*pose.quat_xyzw, *(1000 * pose.translation), 0.1]
        cells = [""] * 8 if i in gap else [f"{number:.6f}" for number in numbers]
        lines += [",".join([str(i), f"{i / 120:.6f}", *cells * len(bodies), "1", "2", "3"])]
    return "\n".join(lines) + "\n"


def test_motive_has_y_up_and_says_its_units(tmp_path, caplog):
    caplog.set_level("INFO")
    found = read_trajectory(written(tmp_path, motive(gap=(2,)), "take.csv"))
    kept, stamps = [WALK[i] for i in (0, 1, 3, 4)], [round(i / 120, 6) for i in (0, 1, 3, 4)]
    assert_walk(found, kept, [round(stamp * 10**6) * 1000 for stamp in stamps], within=1e-5)
    round_stamps = [round(i * 10**6 / 120) * 1000 for i in range(5)]
    assert "4 poses; left out: 1 rows without a pose" in caplog.text
    assert "take.csv: Motive's y axis is up: turned, so that z is" in caplog.text
    by_spreadsheet = motive().replace(",", ";").replace(".", ",")
    assert_walk(read_trajectory(written(tmp_path, by_spreadsheet, "take.csv")), stamps=round_stamps, within=1e-5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (motive(bodies=("robot", "wand")), "holds the bodies robot, wand: export the one that carries the camera"),
        (motive(kind="XYZ"), "Rotation Type is 'XYZ': export it anew with Quaternion"),
        (motive(units="Inches"), "Length Units is 'Inches': export it anew with Meters"),
        (motive(space="Local"), "Coordinate Space is 'Local': export it anew with Global"),
        (motive().replace("Rigid Body,", "Bone,"), "holds no rigid body"),
        ("".join(motive().splitlines(True)[:7]), "holds no pose"),
        (motive().replace("Frame,Time", "Time"), ".* the line `Frame,Time"),
        (motive().replace(",Name,", ",Label,"), ".* the lines Type, Name and Rotation, Position are missing"),
    ],
)
def test_takes_that_leave_something_open_are_refused(tmp_path, text, said):
    with pytest.raises(TrajectoryError, match=rf"take\.csv: {said}"):
        read_trajectory(written(tmp_path, text, "take.csv"))


@pytest.mark.parametrize("columns", [12, 16])
def test_matrices_count_the_images(tmp_path, columns):
    """KITTI odometry's devkit readme: the 3x4 matrix world_from_cam of each image, row by row."""
    lines = [" ".join(f"{value:e}" for value in pose.matrix().ravel()[:columns]) for pose in WALK]
    found = read_trajectory(written(tmp_path, "\n".join(lines)))
    assert found.of_images == 5
    assert_walk(found, stamps=[i * FRAME_PERIOD_NS for i in range(5)])
    path = written(tmp_path, " ".join(f"r{i}" for i in range(columns)) + "\n" + "\n".join(lines))
    if columns == 12:
        assert_walk(read_trajectory(path), stamps=[i * FRAME_PERIOD_NS for i in range(5)])
    lines[1] = " ".join(["nan"] * columns)
    found = read_trajectory(written(tmp_path, "\n".join(lines)))
    assert found.of_images == 5
    assert_walk(found, [WALK[i] for i in (0, 2, 3, 4)], [i * FRAME_PERIOD_NS for i in (0, 2, 3, 4)])


def test_rows_without_a_pose_and_repeated_ones_are_left_out_and_counted(tmp_path, caplog):
    """ORB-SLAM3 writes nan where it was lost."""
    caplog.set_level("INFO")
    lines = rows(TUM, seconds(STAMPS)).splitlines()
    lost = f"{seconds(STAMPS)[1]} {' '.join(['nan'] * 7)}"
    found = read_trajectory(written(tmp_path, "\n".join([lines[0], lost, *lines[2:], lines[-1]])))
    assert_walk(found, [WALK[0], *WALK[2:]], [STAMPS[0], *STAMPS[2:]])
    assert "4 poses; left out: 1 rows without a pose, 1 rows repeated" in caplog.text


@pytest.mark.parametrize("lost", ["-nan(ind)", "-1.#IND", "1.#QNAN0", "NaN", "-nan", ""])
@pytest.mark.parametrize("separator", [" ", ",", ";"])
def test_rows_without_a_pose_are_left_out_however_they_are_spelled(tmp_path, lost, separator):
    """-nan(ind), and -1.#IND before 2015, are Microsoft's: learn.microsoft.com, printf's %f. Zeros are no pose."""
    lines = rows(TUM, seconds(STAMPS), separator).splitlines()
    if lost or separator != " ":
        lines[1] = separator.join([seconds(STAMPS)[1], *[lost] * 7])
    lines[3] = separator.join([seconds(STAMPS)[3], *["0"] * 7])
    found = read_trajectory(written(tmp_path, "\n".join(lines)))
    kept = [0, 2, 4] if lost or separator != " " else [0, 1, 2, 4]
    assert_walk(found, [WALK[i] for i in kept], [STAMPS[i] for i in kept])


def test_a_pose_that_is_repeated_may_be_rounded_or_have_the_other_sign(tmp_path):
    lines = rows(TUM, seconds(STAMPS)).splitlines()
    stamp, *values = lines[2].split()
    rounded = [f"{float(value):.6f}" for value in values]
    turned = [*values[:3], *(str(-float(value)) for value in values[3:])]
    lines[3:3] = [" ".join([stamp, *rounded]), " ".join([stamp, *turned])]
    assert_walk(read_trajectory(written(tmp_path, "\n".join(lines))))
    numbered = rows([*TUM, "i"], seconds(STAMPS)).splitlines()  # of RTAB-Map
    assert_walk(read_trajectory(written(tmp_path, "\n".join([*numbered[:2], *numbered[1:]]))))


@pytest.mark.parametrize("names", ["", "timestamp tx ty tz qx qy qz qw\n"])
@pytest.mark.parametrize("decimals", [0, 6])
def test_nanoseconds_of_a_clock_of_their_own_are_told_by_their_steps(tmp_path, names, decimals):
    """ORB_SLAM3 src/System.cc: SaveTrajectoryEuRoC writes 1e9 times whatever seconds it was given."""
    stamps = [f"{i * 1e9 / 30:.{decimals}f}" for i in range(5)]
    expected = [round(i * 1e9 / 30) for i in range(5)]
    assert_walk(read_trajectory(written(tmp_path, names + rows(TUM, stamps))), stamps=expected)
    path = written(tmp_path, names + rows(TUM, [33_333 * i for i in range(5)]))
    with pytest.raises(TrajectoryError, match=r"poses\.txt: the stamps are 33333 apart, which are no seconds: name"):
        read_trajectory(path)
    path.write_text("stamp_us x y z qx qy qz qw\n" + rows(TUM, [33_333 * i for i in range(5)]))
    assert_walk(read_trajectory(path), stamps=[33_333_000 * i for i in range(5)])


def every(count, start_ns, step_ns, unit_ns):
    """Rows of TUM at even stamps, whole numbers in a unit, and the stamps that are right."""
    stamps = [(start_ns + i * step_ns) // unit_ns * unit_ns for i in range(count)]
    return rows(TUM, [stamp // unit_ns for stamp in stamps], listed=(WALK * 3)[:count]), stamps


MINUTE_NS, DAY_NS = 60 * 10**9, 86_400 * 10**9


@pytest.mark.parametrize("days", [1, 12, 20, 40, 47, 60])
@pytest.mark.parametrize("step_ns", [16_666_667, 33_333_333, 100_000_000, 10**9])
def test_a_clock_since_a_boot_is_no_date_in_a_larger_unit(tmp_path, days, step_ns):
    """1.7e15 ns are three weeks, or a day of 2023 in microseconds; 1.7e12 are half an hour, or one in milliseconds."""
    for start_ns in (days * DAY_NS, days * MINUTE_NS):
        text, stamps = every(12, start_ns, step_ns, 1)
        assert_walk(read_trajectory(written(tmp_path, text)), (WALK * 3)[:12], stamps)
        text, _ = every(12, start_ns, step_ns, 1000)
        with pytest.raises(TrajectoryError, match=r"apart, which are (no seconds|dates in ms or a clock in us): name"):
            read_trajectory(written(tmp_path, text))


@pytest.mark.parametrize("unit_ns", [1, 10**3, 10**6, 10**9])
@pytest.mark.parametrize("step_s", [0.0, 1.0, 4.0])
def test_dates_are_dates_in_any_unit(tmp_path, unit_ns, step_s):
    step_ns = max(round(step_s * 10**9), 33_333_333 if unit_ns < 10**9 else 10**9)
    text, stamps = every(12, 1_700_000_000 * 10**9, step_ns, unit_ns)
    assert_walk(read_trajectory(written(tmp_path, text)), (WALK * 3)[:12], stamps)


@pytest.mark.parametrize(
    ("stamps", "said"),
    [
        ([33 * i for i in range(12)], "33 apart, which are seconds or milliseconds: .* `stamp_ms x y z .* stamp_s"),
        ([f"{i * 33.333:.3f}" for i in range(12)], "33.333 apart, which are seconds or milliseconds"),
        ([33.333333333333336 * i for i in range(12)], "33.3333 apart, which are seconds or milliseconds"),
        ([18_000_000 + 500 * i for i in range(12)], "500 apart, which are seconds or milliseconds"),
        ([1_700_000_000 + 33 * i for i in range(12)], "33 apart, which are seconds or milliseconds"),
        ([1_700_000_000 + 33_333 * i for i in range(12)], "33333 apart, which are no seconds"),
        (
            [1_700_000_000_000 + t for t in (0, 60_000, 61_000, 200_000)],
            "dates in ms or a clock in us.*`stamp_ms .*_us",
        ),
        ([(1_700_000_000 + t) * 10**6 for t in (0, 60, 61, 200)], "dates in us or a clock in ns"),
    ],
)
def test_stamps_of_two_units_are_asked_for(tmp_path, stamps, said):
    path = written(tmp_path, rows(TUM, stamps, listed=(WALK * 3)[: len(stamps)]))
    with pytest.raises(TrajectoryError, match=rf"poses\.txt: the stamps are .*{said}"):
        read_trajectory(path)
    path.write_text(f"stamp_us x y z qx qy qz qw\n{path.read_text()}")
    expected = [round(float(stamp) * 1000) for stamp in stamps]
    assert_walk(read_trajectory(path), (WALK * 3)[: len(stamps)], expected)


def test_poses_far_apart_in_seconds_are_read_where_nothing_else_is_likely(tmp_path):
    few = [40 * i for i in range(5)]
    assert_walk(read_trajectory(written(tmp_path, rows(TUM, few))), stamps=[stamp * 10**9 for stamp in few])
    dates = [1_700_000_000 * 10**9 + 30_250_000_000 * i for i in range(12)]
    text = rows(TUM, seconds(dates), listed=(WALK * 3)[:12])
    assert_walk(read_trajectory(written(tmp_path, text)), (WALK * 3)[:12], dates)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no pose"),
        ("# nothing\n", "holds no pose"),
        ("1 nan nan nan nan nan nan nan\n", "holds no pose, 1 rows without a pose"),
        ("1 1 2 3 12 45 90 0\n", ":1: not a pose: .*length 101.3 and not 1"),
        ("1 1 2 3 0 0 0 0\n", ":1: not a pose"),
        ("1 1 2 3 0 0 0 1\n1 1 2 4 0 0 0 1\n", r":2: the stamp 1\.0+ appears twice, with another pose"),
        ("1 1 2 3 0 0 0 1\n2 1 2 3 0 0 0\n", ":2: expected `stamp_s x y z qx qy qz qw`, got '2 1 2 3"),
        ("1 1 2 3 0 0 0 1\n2 1 2 three 0 0 0 1\n", ":2: expected `stamp_s x y z qx qy qz qw`"),
        ("1 1 2 inf 0 0 0 1\n", ":1: not a pose: 1 2 inf 0 0 0 1: farther away than 1e[+]09 m"),
        ("1 1 2 3\n", ":1: expected `stamp_s x y z qx qy qz qw`"),
        (f"{10**25} 1 2 3 0 0 0 1\n", ":1: the stamp 1.* must be in seconds, not in nanoseconds"),
        (rows(W_FIRST, STAMPS, ","), ":1: is its quaternion x y z w or w x y z.* `stamp_ns,x,y,z,qw,qx,qy,qz`"),
        ("when x y z qx qy qz qw\n1 1 2 3 0 0 0 1\n", "must name the columns one of stamp_ns and stamp_s"),
        ("t x y z x qx qy qz qw\n1 1 2 3 1 0 0 0 1\n", "two columns may be x"),
        ("time (ms) x y z qx qy qz qw\none 1 2 3 0 0 0 1\n", ":2: the stamp must be in ms, got 'one'"),
        ("time stamp x y z qx qy qz qw\n1 1 2 3 0 0 0 1\n", "must name the columns|:2: expected"),
        ("1 0 0 0 0 1 0 0 0 0 2 0\n", ":1: the rotation part of a pose matrix is not a rotation"),
        ("1e200 0 0 0 0 1 0 0 0 0 1 0\n", ":1: expected the 12 numbers"),
        ("nan 0 0 0 0 1 0 0 0 0 1 0\n", ":1: expected the 12 numbers"),
        (" ".join(["nan"] * 12) + "\n", "holds no pose, 1 rows without a pose"),
        (rows([*W_FIRST, "0", "0", "0"], STAMPS, ","), ":1: is its quaternion x y z w or w x y z"),
        (rows(W_FIRST, STAMPS, ";"), ":1: is its quaternion x y z w or w x y z"),
        ("# time x y z roll pitch yaw speed\n1 1 2 3 0 0 0 1\n", "must name the columns .* got `time,x,y,z,roll"),
        ("sec,nsec,x,y,z,qx,qy,qz,qw\n1,0.5,1,2,3,0,0,0,1\n", ":2: the stamp must be in seconds, got '1 0.5'"),
        ("1e900000,1,2,3,0,0,0,1,\n", ":1: .*the stamp|:1: the stamp"),
        ("1 0 0 0 0 1 0 0 0 0 1 0\n1 2\n", ":2: expected the 12 numbers"),
        # COLMAP's doc/format.rst
        ("# Image list\n1 1 0 0 0 0 0 0 1 frame1.jpg\n\n", "this is COLMAP's images.txt, cam_from_world"),
        ("\0\1\2", "must name the columns|expected"),
    ],
)
def test_what_is_no_trajectory_or_two_is_refused_by_name(tmp_path, text, said):
    path = written(tmp_path, text)
    with pytest.raises(TrajectoryError, match=said) as caught:
        read_trajectory(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_header_says_the_unit(tmp_path):
    for unit, factor in (("stamp_ns", 1), ("time [us]", 1000), ("timestamp(ms)", 10**6), ("t [s]", 10**9)):
        text = f"{unit},x,y,z,qx,qy,qz,qw\n{rows(TUM, range(5), ',')}"
        assert_walk(read_trajectory(written(tmp_path, text)), stamps=[i * factor for i in range(5)])


LEADS = [
    "{}", "format: {}", "TUM format: {}", "columns : {}", "ground truth: {}", "each line: {}", "[{}]", "({})",
    "Format : [{}]", "fields {}", "{{{}}}", "'{}'", "{} (as it was)", "file: a.bag, {}",
]  # fmt: skip
LISTS = [
    "timestamp tx ty tz {} ", "timestamp, tx, ty, tz, {}", "ts x y z {}", "unix_time x y z {}",
    "frame_time, x, y, z, {}",
    "timestamp[s] tx ty tz, {}", "timestamp [s], p_x [m], p_y [m], p_z [m], {}", "t(s) x(m) y(m) z(m) {}",
    "timestamp_s tx_m ty_m tz_m {}", "Time (seconds); X; Y; Z; {}", "image_timestamp pos.x pos.y pos.z {}",
    "stamp | x | y | z | {}", "<time> <tx> <ty> <tz> {}",
]  # fmt: skip


@pytest.mark.parametrize("lead", LEADS)
@pytest.mark.parametrize("listed", LISTS)
def test_names_in_a_comment_are_the_order_whatever_stands_around_them(tmp_path, lead, listed):
    for turn, order in (("qw qx qy qz", W_FIRST), ("q_w, q_x, q_y, q_z", W_FIRST), ("qx qy qz qw", TUM)):
        names = lead.format(listed.format(turn.replace(", ", "; ") if ";" in listed else turn).strip())
        text = f"# of a walk\n# {names}\n#\n" + rows(order, seconds(STAMPS))
        assert_walk(read_trajectory(written(tmp_path, text)))


@pytest.mark.parametrize(
    "said",
    [
        "t x y z quat(wxyz)", "when x y z qw qx qy qz", "at: x y z, w, x, y, z", "quaternion: w x y z", "qw qx qy qz",
        "1: stamp, 2-4: place, 5-8: turn (w,x,y,z)", "w first", "the quaternion is scalar-first", "a b c d q0 q1 q2 q3",
        "when x y z rot.w rot.x rot.y rot.z", "when x y z qw[-] qx[-] qy[-] qz[-]", "order w, i, j, k",
    ],
)  # fmt: skip
def test_a_comment_that_says_w_is_first_is_not_passed_over(tmp_path, said):
    path = written(tmp_path, f"# {said}\n" + rows(W_FIRST, seconds(STAMPS)))
    with pytest.raises(TrajectoryError, match=r"poses\.txt: is its quaternion w x y z, as `.*Name the columns"):
        read_trajectory(path)
    path.write_text(f"# {said}\nstamp_s x y z qw qx qy qz\n" + rows(W_FIRST, seconds(STAMPS)))
    assert_walk(read_trajectory(path))


@pytest.mark.parametrize(
    "said",
    [
        "time is that of the left camera of it", "x y z are of the map, yaw x y z are not", "new x y z of the run",
        "quaternions were wxyz and are xyzw", "made by run 12 of ground truth", "timestamp tx ty tz qx qy qz qw, map",
        "timestamp tx ty tz qx qy qz qw confidence", "t x y z quat(x y z w)", "frame: w; x forward, y left, z up",
    ],
)  # fmt: skip
def test_other_comments_are_prose(tmp_path, said):
    assert_walk(read_trajectory(written(tmp_path, f"# {said}\n" + rows(TUM, seconds(STAMPS)))))


def test_a_comment_names_as_many_columns_as_there_are(tmp_path):
    for names in ("id timestamp tx ty tz qx qy qz qw", "row: id, timestamp, tx, ty, tz, qx, qy, qz, qw"):
        assert_walk(read_trajectory(written(tmp_path, f"# {names}\n" + rows(["i", *TUM], seconds(STAMPS)))))
    text = "# format: timestamp tx ty tz qx qy qz qw\n" + rows([*TUM, "i"], seconds(STAMPS))
    assert_walk(read_trajectory(written(tmp_path, text)))


SPELLED = {
    1: "ns nsec nanosec nanoseconds nanos",
    1000: "us usec microseconds µs micros",
    10**6: "ms msec milliseconds millis",
    10**9: "s sec secs seconds second",
}


@pytest.mark.parametrize("name", ["t [{}]", "Time ({})", "t_{}", "timestamp_in_{}", "Time [{} since start]"])
def test_a_unit_of_time_may_be_spelled_out(tmp_path, name):
    for factor, units in SPELLED.items():
        for unit in units.split():
            text = f"{name.format(unit)},x,y,z,qx,qy,qz,qw\n{rows(TUM, [100 * i for i in range(5)], ',')}"
            stamps = [100 * i * factor for i in range(5)]
            assert_walk(read_trajectory(written(tmp_path, text)), stamps=stamps)
            assert_walk(read_trajectory(written(tmp_path, f"# {text}")), stamps=stamps)


@pytest.mark.parametrize("unit", ["min", "hours", "ticks", "frames", "1e-9 s", "s or ns", "jiffies since boot"])
def test_an_unknown_unit_of_time_is_refused(tmp_path, unit):
    path = written(tmp_path, f"time [{unit}],x,y,z,qx,qy,qz,qw\n{rows(TUM, range(5), ',')}")
    with pytest.raises(
        TrajectoryError, match=rf"poses\.txt: its stamps are in '{unit}', and s, ms, us and ns are read"
    ):
        read_trajectory(path)


def test_a_stamp_may_say_of_what_it_is(tmp_path):
    for name in ("timestamp (unix)", "unix_timestamp", "ros_time", "epoch", "time [UTC]", "TimeStamp", "time stamp"):
        text = f"{name},x,y,z,qx,qy,qz,qw,exposure_time\n{rows([*TUM, '0.01'], seconds(STAMPS), ',')}"
        assert_walk(read_trajectory(written(tmp_path, text)))


def test_names_of_other_programs_are_of_a_pose_of_the_sensor_in_the_world(tmp_path):
    """okvis okvis_apps/src/okvis_app_synchronous.cpp; the inverse, of the world in the sensor, is none."""
    okvis = "timestamp, p_WS_W_x, p_WS_W_y, p_WS_W_z, q_WS_x, q_WS_y, q_WS_z, q_WS_w, v_WS_W_x, b_g_x\n"
    text = okvis + rows([*TUM, "0.5", "0.6"], STAMPS, ", ")
    assert_walk(read_trajectory(written(tmp_path, text)))
    with pytest.raises(TrajectoryError, match="must name the columns"):
        read_trajectory(written(tmp_path, text.replace("WS_W", "SW_S").replace("q_WS", "q_SW")))


def test_the_inverse_of_kapture_is_refused(tmp_path):
    """naver/kapture kapture_format.adoc: from world to device."""
    names = "# kapture format: 1.1\n# timestamp, device_id, qw, qx, qy, qz, tx, ty, tz\n"
    text = names + rows(["t", "cam0", *"wabcxyz"], [stamp // 1000 for stamp in STAMPS], ", ")
    with pytest.raises(TrajectoryError, match=r"poses\.txt: this is a file of kapture, whose poses are cam_from_world"):
        read_trajectory(written(tmp_path, text))


def test_a_header_says_the_unit_of_length(tmp_path):
    for unit, metres in (("mm", 0.001), ("millimeters", 0.001), ("cm", 0.01), ("m", 1.0), ("Meters", 1.0)):
        scaled = [Pose(pose.rotation, pose.translation / metres) for pose in WALK]
        for names in (f"x [{unit}],y({unit}),z [ {unit} ]", f"x_{unit},y_{unit},z_{unit}", f"tx.{unit},ty,tz_{unit}"):
            if "ty," not in names or metres == 1:
                text = f"stamp_ns,{names},qx,qy,qz,qw\n{rows(TUM, STAMPS, ',', listed=scaled)}"
                assert_walk(read_trajectory(written(tmp_path, text)))
    for names, said in (("x [ft],y [ft],z [ft]", "lengths are in ft, and m, cm and mm"), ("x [m],y [mm],z", "in m,mm")):
        path = written(tmp_path, f"stamp_ns,{names},qx,qy,qz,qw\n{rows(TUM, STAMPS, ',')}")
        with pytest.raises(TrajectoryError, match=said):
            read_trajectory(path)


@given(
    st.lists(st.integers(0, 10**12 - 1), min_size=1, max_size=5),
    st.integers(0, 6),
    st.integers(0, 9),
    st.sampled_from(list(EXPONENTS)),
)
def test_stamps_read_at_once_are_those_read_one_by_one(numbers, decimals, added_zeros, unit):
    texts = [f"{number:012d}{'0' * added_zeros}" for number in numbers]
    if decimals:
        texts = [f"{text[:-decimals]}.{text[-decimals:]}" for text in texts]
    at_once = alike_stamps(np.array(texts), unit)
    if at_once is None:  # more than nanoseconds, or farther than any stamp
        assert decimals > 9 + EXPONENTS[unit] or len(texts[0]) - bool(decimals) - decimals > 9 - EXPONENTS[unit]
    else:
        assert at_once.tolist() == [stamp_ns(text, unit, "") for text in texts]


@pytest.mark.parametrize("texts", [["1.5", "12.5"], ["1.5", "1,5"], ["1.5", "1.x"], ["-1.5", "-1.6"], ["1.", "2."]])
def test_stamps_that_are_not_alike_are_not_read_at_once(texts):
    assert alike_stamps(np.array(texts), "s") is None


@pytest.mark.parametrize("texts", [["17", "1_7."], ["17", "17.5"], ["5."], ["17", "9" * 19], ["17", ""]])
def test_what_is_no_whole_stamp_is_refused(texts):
    with pytest.raises((ValueError, OverflowError)):
        whole_stamps(np.array(texts))


def test_json_is_told_as_such_and_where_its_poses_are(tmp_path):
    summary = written(tmp_path, '{"estimator": "structure", "frames": 5}\n', "est.json")
    with pytest.raises(TrajectoryError, match=r"est\.json: this is JSON, .*: write a line `stamp_s x y z qx qy qz qw`"):
        read_trajectory(summary)
    poses_beside = written(tmp_path, rows("txyzabcw", seconds(STAMPS)), "est.tum")
    with pytest.raises(TrajectoryError, match=r"est\.json: this is JSON, .*: its poses are in .*est\.tum \("):
        read_trajectory(summary)
    assert len(read_trajectory(poses_beside)) == len(STAMPS)
