"""Picking without templates."""
