"""Particles picked by hand."""
