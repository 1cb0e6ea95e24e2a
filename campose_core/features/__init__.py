"""What one image holds: keypoints with descriptors, their matches, and one descriptor of the whole."""
