"""Foxglove: a live server and MCAP files with the same channels."""
