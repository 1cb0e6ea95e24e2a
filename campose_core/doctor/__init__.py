"""What is good and bad about a scene as it stands, and what to record next."""
