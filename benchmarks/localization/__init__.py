"""How fast, how accurate and how honest localization is; `python -m benchmarks.localization` prints the tables."""
