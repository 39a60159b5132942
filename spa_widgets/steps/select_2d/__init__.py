"""Choice of 2D classes."""
