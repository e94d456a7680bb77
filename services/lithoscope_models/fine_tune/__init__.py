"""A network that goes on learning from slices that people painted."""
