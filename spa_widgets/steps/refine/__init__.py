"""Homogeneous refinement."""
