"""A floor map becomes part of a scene: from nav2, from a drawing, or from the recording itself."""
