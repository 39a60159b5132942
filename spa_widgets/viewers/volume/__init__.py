"""The volume viewer: a napari model drawn by the browser."""
