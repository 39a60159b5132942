"""Forms of the parameters of a step."""
