"""Correction of movies for motion and dose."""
