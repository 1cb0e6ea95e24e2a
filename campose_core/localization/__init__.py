"""From an image to a pose: the estimators, and the localizer that gates and snaps what they say."""
