"""Finding particles on micrographs: blobs, templates, peaks, scores and thresholds."""
