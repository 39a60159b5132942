"""Fourier grids, cropping, filters and shells, shared by every step."""
