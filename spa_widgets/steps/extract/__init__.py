"""Extraction of particle images from micrographs."""
