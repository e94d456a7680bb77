"""What people paint on slices: stored, and answered by a forest while they go on."""
