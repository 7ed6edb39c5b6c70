"""From an image to cached activations, a prediction and its maps."""
