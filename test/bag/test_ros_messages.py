"""Messages by the classes of rosbags: what is read from their bytes is what went in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from viewing import small_floor

from campose_core.bag.camera_info import camera_from_info
from campose_core.bag.cdr import Cdr
from campose_core.camera import MODEL_PARAMS, Camera
from campose_core.geometry import Pose, pose_error
from campose_core.localization.result import LocalizationResult, Status
from campose_core.visualization.localization_status import localization_status
from campose_core.visualization.trail import LOST, OFF_MAP, TRACKING, Trail

STAMP = 1_700_000_000_123_456_789
CDR = Cdr()
ROS = CDR.messages
metres = st.floats(-1000, 1000)


def received(message):
    return CDR.store.deserialize_cdr(CDR.serialize(message), message.__msgtype__)


def stamp_of(message) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def pose_of(message) -> Pose:
    q, p = message.orientation, message.position
    return Pose.from_quat_xyzw([q.x, q.y, q.z, q.w], [p.x, p.y, p.z])


@given(xyz=st.tuples(metres, metres, metres), rotvec=st.tuples(*[st.floats(-2, 2)] * 3))
def test_poses_keep_every_digit(xyz, rotvec):
    pose = Pose(Rotation.from_rotvec(rotvec), xyz)
    stamped = received(ROS.pose_stamped("map", STAMP, pose))
    assert (stamped.header.frame_id, stamp_of(stamped)) == ("map", STAMP)
    covariance = np.arange(36.0).reshape(6, 6)
    uncertain = received(ROS.pose_with_covariance("map", STAMP, pose, covariance))
    np.testing.assert_array_equal(uncertain.pose.covariance, covariance.ravel())
    (moved,) = received(ROS.tf(ROS.transform_stamped("map", "base_link", STAMP, pose))).transforms
    assert (moved.header.frame_id, moved.child_frame_id) == ("map", "base_link")
    q, t = moved.transform.rotation, moved.transform.translation
    tf_pose = Pose.from_quat_xyzw([q.x, q.y, q.z, q.w], [t.x, t.y, t.z])
    for other in (pose_of(stamped.pose), pose_of(uncertain.pose.pose), tf_pose):
        assert max(pose_error(other, pose)) < 1e-6


@given(row=st.integers(0, 59), column=st.integers(0, 79))
def test_a_grid_cell_lies_where_the_floor_map_says(row, column):
    floor = small_floor()
    grid = received(ROS.occupancy_grid("map", STAMP, floor))
    corner = np.array([column + 0.5, row + 0.5]) * grid.info.resolution
    centre = pose_of(grid.info.origin).transform([*corner, 0.0])
    np.testing.assert_allclose(centre, [*floor.centre_of([row, column]), 0.0], atol=1e-6)
    assert grid.data.reshape(grid.info.height, grid.info.width)[row, column] == floor.occupancy[row, column]


def test_walkable_cells_are_free_and_all_others_unknown():
    floor = small_floor()
    walkable = floor.occupancy == 0
    walkable[:30] = False
    grid = received(ROS.walkable_grid("map", STAMP, floor, walkable))
    np.testing.assert_array_equal(grid.data.reshape(floor.shape) == 0, walkable)
    assert set(grid.data.tolist()) == {0, -1}


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_points_and_colours_arrive(count):
    rng = np.random.default_rng(count)
    xyz, rgb = rng.normal(size=(count, 3)) * 10, rng.integers(0, 256, (count, 3), dtype=np.uint8)
    cloud = received(ROS.point_cloud("map", STAMP, xyz, rgb))
    assert {field.name: field.offset for field in cloud.fields} == {"x": 0, "y": 4, "z": 8, "rgb": 12}
    assert len(cloud.data) == cloud.row_step == cloud.width * cloud.point_step
    data = cloud.data.reshape(count, cloud.point_step)
    np.testing.assert_array_equal(np.ascontiguousarray(data[:, :12]).view("<f4"), xyz.astype(np.float32))
    packed = np.ascontiguousarray(data[:, 12:]).view("<u4")[:, 0]
    np.testing.assert_array_equal(np.column_stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255]), rgb)


@pytest.mark.parametrize("model", sorted(MODEL_PARAMS))
def test_the_camera_that_camera_info_describes_projects_as_this_one(model):
    named = {"f": 500, "fx": 500, "fy": 510, "cx": 319.5, "cy": 239.5, "k1": 0.1, "k2": -0.05, "p1": 0.001}
    named |= {"p2": -0.002, "k3": 0.01, "k4": 0.02, "k5": -0.01, "k6": 0.005}
    named |= {"s1": 0.001, "s2": -0.002, "s3": 0.0015, "s4": 0.0005}
    camera = Camera(model, 640, 480, tuple(named[name] for name in MODEL_PARAMS[model]))
    info = received(ROS.camera_info("optical", STAMP, camera))
    assert (info.width, info.height, info.header.frame_id) == (640, 480, "optical")
    rays = np.column_stack([np.random.default_rng(0).uniform(-0.6, 0.6, (50, 2)), np.ones(50)])
    np.testing.assert_allclose(camera_from_info(info, False).project(rays), camera.project(rays), atol=1e-9)
    np.testing.assert_allclose(info.p.reshape(3, 4)[:, :3], camera.matrix())


def result(stamp_ns: int, x: float | None, status: Status = Status.TRACKING, off_map: bool = False):
    pose = None if x is None else Pose(Rotation.identity(), [x, 0.0, 0.0])
    return LocalizationResult(stamp_ns, status, pose, pose, None if off_map else pose, off_map=off_map)


def test_a_status_carries_the_stamp_of_its_image_and_what_became_of_it():
    good, lost = result(STAMP, 1.0)._replace(support=120), result(STAMP, None, Status.LOST)._replace(reason="a jump")
    for what, level, state in ((good, 0, "TRACKING"), (lost, 1, "LOST")):
        message = received(localization_status(ROS, "localizer", what, 0.25))
        (line,) = message.status
        values = {item.key: item.value for item in line.values}
        assert (stamp_of(message), line.level, values["state"]) == (STAMP, level, state)
        assert float(values["latency_s"]) == 0.25
        assert float(values["support"]) == what.support


def test_the_trail_is_coloured_by_state():
    trail = Trail(ROS, "map")
    for i, (x, status, off_map) in enumerate(
        [
            (None, Status.INITIALIZING, False),
            (0.0, Status.TRACKING, False),
            (0.01, Status.TRACKING, False),  # too near to draw
            (0.2, Status.TRACKING, False),
            (0.4, Status.TRACKING, True),
            (None, Status.TRACKING, False),  # a single image without a pose is not lost
            (0.6, Status.TRACKING, False),
            (None, Status.LOST, False),
            (5.0, Status.TRACKING, False),
            (None, Status.INITIALIZING, False),
            (9.0, Status.TRACKING, False),  # no line from where it was before the restart
        ]
    ):
        trail.add(result(i, x, status, off_map), length=100, spacing_m=0.05)
    marker = received(trail.message())
    assert marker.type == marker.LINE_LIST
    assert [p.x for p in marker.points] == [0.0, 0.2, 0.2, 0.4, 0.4, 0.6, 0.6, 5.0]
    colors = [(c.r, c.g, c.b, c.a) for c in marker.colors]
    expected = [color for color in (TRACKING, OFF_MAP, TRACKING, LOST) for _ in range(2)]
    np.testing.assert_allclose(colors, expected, atol=1e-6)
    assert stamp_of(marker) == 10
    trail.clear()
    assert len(received(trail.message()).points) == 0


def test_a_long_trail_forgets_its_beginning():
    trail = Trail(ROS, "map")
    for i in range(10):
        trail.add(result(i, float(i)), length=3, spacing_m=0.0)
    assert [p.x for p in received(trail.message()).points] == [6.0, 7.0, 7.0, 8.0, 8.0, 9.0]
