"""Network weights, training and engines."""
