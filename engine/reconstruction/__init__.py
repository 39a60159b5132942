"""Slices, insertion, pose search, initial model and refinement."""
