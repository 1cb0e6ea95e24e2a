"""How good a localizer is: metrics and how sure they are, leaks, gates, the benchmark of a scene, the report page."""
