"""Pose networks: models, losses, data, training, checkpoints. torch is imported only below this package."""
