"""Which kinds of pose networks there are, by name."""

MENET = "menet"  # the kind that tells motions, and the name under which a scene keeps its own
