"""How good a localizer is: metrics, the benchmark of a scene, and the report page."""
