"""Tables from names to classes, which installed packages may add to."""
