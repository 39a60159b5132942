"""Volumes from particles of unknown pose (ab-initio reconstruction)."""
