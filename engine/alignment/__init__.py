"""Maps on maps: rigid motions, their search, and axes of symmetry."""
