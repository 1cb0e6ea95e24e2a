"""What capture apps, data sets and other programs write: images with the poses that they already know."""
