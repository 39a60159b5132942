"""Import of micrographs: their optics, and a check of every file."""
