"""Motion of the specimen in movies, and dose weighting."""
