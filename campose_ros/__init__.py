"""The ROS 2 side of campose: parameters, message conversions and nodes around `campose_core`."""
