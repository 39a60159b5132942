"""Picking with class averages as templates."""
