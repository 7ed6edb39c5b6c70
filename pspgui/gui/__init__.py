"""The window: the only part of pspgui that imports Qt."""
