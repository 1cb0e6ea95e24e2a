"""Anything that becomes frames: video, image folders, bags, a rendered world."""
