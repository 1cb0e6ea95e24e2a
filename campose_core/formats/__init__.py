"""Files of other programs: cameras and trajectories, each reader a function of the file. docs/formats.md lists them."""
