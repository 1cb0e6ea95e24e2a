"""The localization session over a recording, without ROS."""
