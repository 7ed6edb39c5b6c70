"""The panels around the canvas: each in one file, each talking only to the document."""
