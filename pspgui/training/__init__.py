"""Data sets, augmentation, the recipe, the loop and evaluation."""
