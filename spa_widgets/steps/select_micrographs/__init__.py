"""Choice of micrographs."""
