"""Networks, the spec that describes them, and the checkpoints they come from."""
