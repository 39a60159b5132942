"""The widgets in the real JupyterLab, driven by a headless Chromium."""
