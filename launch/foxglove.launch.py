"""The localizer in Foxglove: through foxglove_bridge where it is installed, else through the viewer of this package.

    ros2 launch campose_ros foxglove.launch.py

Both show and change nothing: clients cannot publish, call services or set parameters.
"""

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

ARGUMENTS = {
    "port": ("8765", "Port of the WebSocket."),
    "host": ("127.0.0.1", "Address to listen on; with 0.0.0.0 everybody in reach sees what the robot sees."),
    "namespace": ("", "Namespace of the robot: of the localizer, and of the viewer's own name."),
    "localizer": ("localizer", "Name of the localizer to show; foxglove_bridge shows every topic of the domain."),
    "use_sim_time": ("false", "Take the time from /clock."),
}


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, bridge() if is_installed("foxglove_bridge") else viewer()])


def is_installed(package: str) -> bool:
    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        return False
    return True


def bridge() -> Node:
    parameters = {
        "port": given("port", int),
        "address": given("host", str),
        "capabilities": ["connectionGraph"],
        "use_sim_time": given("use_sim_time", bool),
    }
    return Node(
        package="foxglove_bridge",
        executable="foxglove_bridge",
        name="foxglove_bridge",
        namespace=LaunchConfiguration("namespace"),
        parameters=[parameters],
        output="screen",
    )


def viewer() -> Node:
    parameters = {name: given(name, kind) for name, kind in {"port": int, "host": str, "localizer": str}.items()}
    return Node(
        package="campose_ros",
        executable="campose_viewer",
        name="viewer",
        namespace=LaunchConfiguration("namespace"),
        parameters=[{**parameters, "use_sim_time": given("use_sim_time", bool)}],
        output="screen",
    )


def given(name: str, kind: type) -> ParameterValue:
    return ParameterValue(LaunchConfiguration(name), value_type=kind)
