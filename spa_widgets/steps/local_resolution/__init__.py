"""Local resolution of two half maps."""
