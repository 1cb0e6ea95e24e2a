"""A map in the forms that other programs read, so that nobody is locked in."""
