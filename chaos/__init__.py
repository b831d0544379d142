"""The fault suite: breaks everything that can break, and counts what is left."""
