"""The scene: a place as a folder on disk, with one writer at a time; its frames, and their split for training."""
