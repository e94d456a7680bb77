"""Volumes that were reconstructed elsewhere, and what would have been seen in them."""
