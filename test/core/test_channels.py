import subprocess
import sys

import foxglove.channels
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from viewing import decode, pose_of, small_floor, small_scene

from campose_core.camera import MODEL_PARAMS, Camera
from campose_core.errors import UsageError
from campose_core.floor import FloorMap
from campose_core.geometry import Pose, pose_error
from campose_core.trajectory import Trajectory
from campose_core.visualization import messages
from campose_core.visualization.channels import JSON_SCHEMAS, TOPICS, error_topic, path_topic, pose_topic

STAMP = 1_700_000_000_123_456_789
metres = st.floats(-1000, 1000)


def stamp_of(message) -> int:
    return int(message.timestamp.seconds) * 10**9 + int(message.timestamp.nanos)


def received(message):
    """What a viewer makes of a message: its bytes, read by the schema that the channel announces."""
    schema = message.get_schema()
    return decode(schema.encoding, schema.name, schema.data, message.encode())


def grid_colors(grid) -> np.ndarray:
    data = np.frombuffer(grid.data, dtype=np.uint8)
    assert [(field.name, field.offset) for field in grid.fields] == [
        ("red", 0),
        ("green", 1),
        ("blue", 2),
        ("alpha", 3),
    ]
    return data.reshape(-1, grid.row_stride // grid.cell_stride, grid.cell_stride)


@given(row=st.integers(0, 59), column=st.integers(0, 79))
def test_a_grid_cell_lies_where_the_floor_map_says(row, column):
    floor = small_floor()
    grid = received(messages.floor_grid(floor, None, STAMP))
    corner = np.array([column + 0.5, row + 0.5]) * [grid.cell_size.x, grid.cell_size.y]
    centre = pose_of(grid.pose).transform([*corner, 0.0])
    np.testing.assert_allclose(centre, [*floor.centre_of([row, column]), 0.0], atol=1e-9)
    color = {0: messages.FREE, 100: messages.OCCUPIED, -1: messages.UNKNOWN}[int(floor.occupancy[row, column])]
    assert tuple(grid_colors(grid)[row, column]) == color


def test_walkable_cells_and_shades_between_free_and_occupied():
    floor = FloorMap(np.array([[0, 50, 100, -1, 0]], dtype=np.int8), 0.1)
    walkable = np.array([[True, False, False, False, False]])
    colors = grid_colors(received(messages.floor_grid(floor, walkable, STAMP)))[0]
    assert tuple(colors[0]) == messages.WALKABLE
    assert messages.OCCUPIED[0] < colors[1][0] < messages.FREE[0]
    expected = [messages.OCCUPIED, messages.UNKNOWN, messages.FREE]
    assert [tuple(color) for color in colors[2:]] == expected


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_points_and_colours_arrive(count):
    rng = np.random.default_rng(count)
    xyz, rgb = rng.normal(size=(count, 3)) * 10, rng.integers(0, 256, (count, 3), dtype=np.uint8)
    cloud = received(messages.point_cloud(xyz, rgb, STAMP))
    assert {field.name: field.offset for field in cloud.fields} == {
        **{"x": 0, "y": 4, "z": 8},
        **{"red": 12, "green": 13, "blue": 14, "alpha": 15},
    }
    data = np.frombuffer(cloud.data, dtype=np.uint8).reshape(count, cloud.point_stride)
    np.testing.assert_array_equal(np.ascontiguousarray(data[:, :12]).view("<f4"), xyz.astype(np.float32))
    np.testing.assert_array_equal(data[:, 12:15], rgb)
    assert (data[:, 15] == 255).all()


@given(xyz=st.tuples(metres, metres, metres), rotvec=st.tuples(*[st.floats(-2, 2)] * 3))
def test_poses_and_transforms_keep_every_digit(xyz, rotvec):
    pose = Pose(Rotation.from_rotvec(rotvec), xyz)
    shown = received(messages.pose_in_map(pose, STAMP))
    assert shown.frame_id == "map"
    assert stamp_of(shown) == STAMP
    assert max(pose_error(pose_of(shown.pose), pose)) < 1e-7
    transform = received(messages.transform(pose, "camera_optical", STAMP))
    assert (transform.parent_frame_id, transform.child_frame_id) == ("map", "camera_optical")
    q, t = transform.rotation, transform.translation
    assert max(pose_error(Pose.from_quat_xyzw([q.x, q.y, q.z, q.w], [t.x, t.y, t.z]), pose)) < 1e-7


def opencv_pixels(calibration, rays: np.ndarray) -> np.ndarray:
    """Pixels of rays (N, 2) as a viewer computes them: OpenCV's camera and fisheye models."""
    x, y = rays.T
    if calibration.distortion_model == "kannala_brandt":
        theta = np.arctan(np.hypot(x, y))
        powers = np.stack([theta**n for n in (3, 5, 7, 9)])
        scale = (theta + np.array(calibration.D) @ powers) / np.hypot(x, y)
        distorted = np.stack([x * scale, y * scale, np.ones_like(x)])
    else:
        k1, k2, p1, p2, k3, k4, k5, k6 = [*calibration.D, 0.0, 0.0, 0.0][:8]
        assert len(calibration.D) == {"plumb_bob": 5, "rational_polynomial": 8}[calibration.distortion_model]
        r2 = x**2 + y**2
        radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
        distorted = np.stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2),
                y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y,
                np.ones_like(x),
            ]
        )
    return (np.array(calibration.K).reshape(3, 3) @ distorted)[:2].T


@pytest.mark.parametrize("model", sorted(MODEL_PARAMS))
def test_a_viewer_projects_as_the_camera_does(model):
    named = {"f": 500, "fx": 500, "fy": 510, "cx": 319.5, "cy": 239.5, "k1": 0.1, "k2": -0.05, "p1": 0.001}
    named |= {"p2": -0.002, "k3": 0.01, "k4": 0.02, "k5": -0.01, "k6": 0.005}
    camera = Camera(model, 640, 480, tuple(named[name] for name in MODEL_PARAMS[model]))
    calibration = received(messages.calibration(camera, "optical", STAMP))
    assert (calibration.width, calibration.height, calibration.frame_id) == (640, 480, "optical")
    rays = np.random.default_rng(0).uniform(-0.6, 0.6, (50, 2))
    expected = camera.project(np.column_stack([rays, np.ones(50)]))
    np.testing.assert_allclose(opencv_pixels(calibration, rays), expected, atol=1e-9)
    np.testing.assert_allclose(np.array(calibration.P).reshape(3, 4)[:, :3], camera.matrix())


def test_a_path_is_interrupted_where_poses_are_missing():
    seconds = [0.0, 0.1, 0.2, 5.0, 5.1]
    poses = [Pose(Rotation.identity(), [t, 2 * t, 1.0]) for t in seconds]
    path = Trajectory.from_poses([int(t * 1e9) for t in seconds], poses)
    (entity,) = received(messages.path_lines([path, path], "#ff8000", STAMP)).entities
    assert [len(line.points) for line in entity.lines] == [3, 2, 3, 2]
    points = [(p.x, p.y, p.z) for line in entity.lines[:2] for p in line.points]
    np.testing.assert_allclose(points, path.positions)
    color = entity.lines[0].color
    np.testing.assert_allclose([color.r, color.g, color.b, color.a], [1, 128 / 255, 0, 1])


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_every_topic_has_a_schema_that_exists(topic):
    name = TOPICS[topic]
    if name in JSON_SCHEMAS:
        assert JSON_SCHEMAS[name]["title"] == name
    else:
        channel = getattr(foxglove.channels, f"{name.removeprefix('foxglove.')}Channel")
        assert channel(topic, context=foxglove.Context()).schema_name() == name


def test_estimates_come_on_the_topics_of_the_node_or_under_their_name():
    assert [pose_topic("snapped"), pose_topic("raw"), pose_topic("mapnet")] == ["/pose", "/pose_raw", "/pose/mapnet"]
    assert {path_topic("raw"), path_topic("snapped"), error_topic("raw")} <= set(TOPICS)
    with pytest.raises(UsageError, match="my model"):
        path_topic("my model")


def test_without_foxglove_the_command_names_what_to_install(tmp_path):
    small_scene(tmp_path)
    without = (
        "import sys\n"
        "sys.modules['foxglove'] = None\n"
        "import campose_core.visualization.server, campose_core.visualization.mcap\n"
        "from campose_core.cli.main import main\n"
        "sys.exit(main(['view', sys.argv[1], '--port', '0']))\n"
    )
    command = [sys.executable, "-c", without, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "campose view: foxglove is not installed: pip install 'campose_ros[view]'\n"
