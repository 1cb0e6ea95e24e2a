"""The rendered world: a furnished floor with exact ground truth, driven through and recorded."""
