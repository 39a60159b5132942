"""What a hub for a class adds to JupyterHub: guests with pass phrases, limits, and settings in one file."""
