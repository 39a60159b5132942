"""The volume viewer: a napari model drawn by the browser, by napari without a screen, or by desktop napari."""
