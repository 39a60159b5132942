"""Simulated micrographs with known truth."""
