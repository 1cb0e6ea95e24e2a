"""A new recording of a mapped place becomes part of its map."""
