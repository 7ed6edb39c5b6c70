"""Labels as plain numpy: classes, label maps, rasters, history, metrics."""
