"""pspgui: see what PSPNet sees, correct it with a brush, and teach it."""
