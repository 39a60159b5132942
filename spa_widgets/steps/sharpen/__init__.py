"""Sharpening of a map."""
