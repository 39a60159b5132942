"""Validation: masks, the five FSC curves, sharpening."""
