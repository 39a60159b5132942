"""Facts by which wrong conventions show: contrast, half sets, box, symmetry and units."""
