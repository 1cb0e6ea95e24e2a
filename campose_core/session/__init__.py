"""A localization session: decoded messages in, results out. The node and the replay of a bag are adapters to it."""
