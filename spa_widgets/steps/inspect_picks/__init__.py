"""Thresholds on the scores of picks."""
