"""Estimators of `map_from_sfm`, one method per file. None of them knows of scenes or files."""
