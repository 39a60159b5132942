"""A first model of particles whose poses are unknown."""
