"""Poses of particles against a volume: grids, candidates, searches."""
