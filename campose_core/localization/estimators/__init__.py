"""From one image to a pose: the estimators, and the table that names them."""
