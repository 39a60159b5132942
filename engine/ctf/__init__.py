"""Contrast transfer function: its model and its estimation from micrographs."""
