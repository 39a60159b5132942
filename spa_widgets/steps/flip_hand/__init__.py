"""The mirror image of a map."""
