"""Simulation: atoms to densities, projections, particle images and micrographs, with their truth."""
