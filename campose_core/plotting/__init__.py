"""Pictures for people: one palette, one way to make a figure, one floor plan to draw on."""
