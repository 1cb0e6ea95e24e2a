"""Structure from motion, its alignment to the map frame, and the landmarks kept for localization."""
