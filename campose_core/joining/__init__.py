"""Pieces of a reconstruction put into one frame, where the joint proves itself."""
