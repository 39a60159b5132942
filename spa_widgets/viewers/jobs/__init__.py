"""Live jobs of a session."""
