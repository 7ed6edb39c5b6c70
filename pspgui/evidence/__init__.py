"""What drove a pixel's class: exact splits of a logit into local features, bins and constant."""
