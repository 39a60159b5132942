"""Pictures in two dimensions: micrographs with picks, class averages, particles."""
