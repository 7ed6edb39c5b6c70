"""The canvas: camera, layers, and the widget that paints them and feeds the tools."""
