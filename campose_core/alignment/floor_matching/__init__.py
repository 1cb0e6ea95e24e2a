"""A reconstruction against a floor map: its outline, slid over the map, and fitted."""
