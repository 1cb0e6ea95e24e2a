"""Structure from motion: from the frames of a scene to a reconstruction and its landmarks."""
