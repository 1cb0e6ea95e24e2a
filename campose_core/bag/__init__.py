"""Bags of ROS 1 and ROS 2, without ROS: files, messages, and what they hold for campose."""
