"""The pose networks, one class each."""
