"""What localization needs of a map: landmarks, which keyframes see them, and one image against them."""
