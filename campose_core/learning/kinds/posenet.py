"""PoseNet: single images to poses.

Kendall and Cipolla, "Geometric loss functions for camera pose regression with deep learning", CVPR 2017.
"""

from campose_core.learning.kinds.base import NetworkKind


class PoseNet(NetworkKind):
    """Each frame by itself, which is what every kind does where it says nothing else."""
