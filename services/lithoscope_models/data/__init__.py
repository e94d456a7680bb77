"""What networks are trained on: simulated experiments, and labels from files."""
