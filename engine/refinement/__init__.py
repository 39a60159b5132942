"""Refinement of poses and map in two halves."""
