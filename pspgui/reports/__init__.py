"""Reports of evidence for papers and classes, and checks of evidence on a person's own model."""
